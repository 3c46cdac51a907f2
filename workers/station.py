"""The station: claims the best job, runs it, reports, and claims again until there is none.

A wake-up only sets a flag, so that none is lost while a job runs and a doubled one claims nothing
twice.  Without any wake-up the station asks on its own every `POLL_S`: a dead broker costs
promptness, nothing else.
"""

from __future__ import annotations

import shutil
import threading

import structlog

from workers.attempt import Attempt
from workers.client import Refused, SiteClient, SiteError, Unreachable
from workers.device import Bench
from workers.fetch_policy import DEFAULT_POLICY, FetchPolicy
from workers.folders import Folders
from workers.logs import order_told
from workers.messages import ClaimRequest, Hello, Order, Welcome
from workers.nursery import Nursery, NurseryError
from workers.nvml import compute_processes
from workers.onnx_cache import OnnxCache
from workers.pulse import Pulse
from workers.spool import Spool

log = structlog.get_logger(__name__)

POLL_S = 30.0
RETRY_S = 5.0
ROOM_BYTES = 64 * 2**20
"""With less room in its folder a worker claims nothing: it could not even keep the result."""


class Station:
    """One worker's loop; `run` belongs to one thread, `wake` and `stop` to any."""

    def __init__(
        self,
        *,
        name: str,
        client: SiteClient,
        bench: Bench,
        nursery: Nursery,
        folders: Folders,
        fetch: FetchPolicy = DEFAULT_POLICY,
        poll_s: float = POLL_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._name = name
        self._client = client
        self._bench = bench
        self._nursery = nursery
        self._folders = folders
        self._fetch = fetch
        self._poll_s = poll_s
        self._retry_s = retry_s
        self._spool = Spool(folders.spool)
        self._cache = OnnxCache(folders.onnx)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._pulse: Pulse | None = None
        self._welcome: Welcome | None = None
        shutil.rmtree(folders.jobs, ignore_errors=True)  # left by a worker that was killed
        folders.jobs.mkdir(parents=True)

    @property
    def undelivered(self) -> bool:
        """Whether results wait for the site to come back."""
        return bool(self._spool.waiting)

    def wake(self) -> None:
        """There may be a job: look now, or right after the running one."""
        self._wake.set()

    def stop(self) -> None:
        """End the running job's child, give the job back, and leave `run`."""
        self._stopping.set()
        self._client.hurry()
        if (pulse := self._pulse) is not None:
            pulse.stop("shutdown")
        self._wake.set()

    def introduce(self, hello: Hello) -> bool:
        """Say hello until the site answers; False when the worker was stopped before.

        Raises:
            Refused: the site does not want this worker; the message says why.
        """
        while not self._stopping.is_set():
            try:
                self._welcome = self._client.hello(hello)
            except Unreachable as error:
                log.info("the site does not answer yet", reason=str(error))
                self._stopping.wait(self._retry_s)
            else:
                log.info("welcome", worker_id=self._welcome.worker_id, heartbeat_s=self._welcome.heartbeat_s)
                return True
        return False

    def run(self, hello: Hello) -> None:
        """Work until `stop`.

        Raises:
            Refused: the site no longer wants this worker.
        """
        self._warm()
        while not self._stopping.is_set():
            self._wake.clear()  # before looking: a wake-up from now on means looking once more
            try:
                self._work_until_none()
                pause = min(self._poll_s, self._spool.rest_s())
            except Refused:
                self.introduce(hello)  # it says in a sentence why, or takes the worker back
                pause = self._retry_s
            except SiteError as error:
                log.info("the site is away", reason=str(error))
                pause = self._retry_s if self.undelivered else self._poll_s
            self._wake.wait(pause)

    def _warm(self) -> None:
        """Have the zygote ready before the first job; where it fails now, that job tries again."""
        try:
            self._nursery.warm()
        except NurseryError as error:
            log.warning("the zygote does not start", reason=str(error))

    def _work_until_none(self) -> None:
        request = ClaimRequest(worker=self._name, device=self._bench.device)
        while not self._stopping.is_set():
            self._spool.deliver_all(self._client)
            if self._stopping.is_set() or self._occupied() or self._full():
                return
            order = self._client.claim(request)
            if order is None:
                return
            with order_told(order):
                self._work(order)

    def _full(self) -> bool:
        """Whether the disk is full: a job claimed now would only spend one of its tries."""
        free = shutil.disk_usage(self._folders.jobs).free
        if free >= ROOM_BYTES:
            return False
        log.warning("no job is claimed, the disk is full", path=str(self._folders.jobs), free_bytes=free)
        return True

    def _occupied(self) -> bool:
        """Whether a foreign process computes on the GPU: a job started now would measure both."""
        if self._bench.gpu is None or not (foreign := compute_processes(self._bench.device.uuid)):
            return False
        log.warning("no job is claimed, other processes use the GPU", processes=sorted(foreign))
        return True

    def _work(self, order: Order) -> None:
        """Run the order's attempt; `stop` reaches it through its pulse."""
        log.info("job claimed", kind=order.kind, model=order.model)
        heartbeat_s = self._welcome.heartbeat_s if self._welcome else self._retry_s
        attempt = Attempt(
            order,
            self._bench,
            self._nursery,
            self._client,
            self._spool,
            self._cache,
            self._folders,
            self._fetch,
        )
        try:
            with attempt.open(heartbeat_s) as pulse:
                self._pulse = pulse
                if self._stopping.is_set():  # it came between the claim and the line above
                    pulse.stop("shutdown")
                try:
                    attempt.carry_out()
                finally:
                    self._pulse = None
        except OSError as error:
            attempt.disk_failed(error)
