"""An attempt: one try of a claimed job, from its empty folder to its result in the spool and at home."""

from __future__ import annotations

import contextlib
import shutil
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog

from workers.checkout import Checkouts
from workers.child import ChildLog
from workers.client import Refused, SiteClient, SiteError, Superseded, Unreachable
from workers.compare_job import job_compare
from workers.device import Bench
from workers.fetch_policy import DEFAULT_POLICY, FetchPolicy
from workers.folders import Folders
from workers.job import Finished, Job, JobFailed, JobStopped, artifact_added, remarks_added
from workers.measure_job import job_measure
from workers.messages import Failure, Order, Pair
from workers.nursery import Nursery
from workers.onnx_cache import OnnxCache
from workers.profile_job import job_profile
from workers.pulse import Pulse
from workers.soak_job import job_soak
from workers.spool import Spool
from workers.telemetry import Telemetry

log = structlog.get_logger(__name__)

KINDS: dict[str, Callable[[Job], Finished]] = {
    "measure": job_measure,
    "compare": job_compare,
    "soak": job_soak,
    "profile": job_profile,
}
"""The kinds of jobs, one row each."""


@dataclass
class Attempt:
    """One try of `order`: `open` it, then `carry_out` inside."""

    order: Order
    bench: Bench
    nursery: Nursery
    client: SiteClient
    spool: Spool
    cache: OnnxCache
    folders: Folders
    fetch: FetchPolicy = DEFAULT_POLICY
    _job: Job = field(init=False)
    _telemetry: Telemetry = field(init=False)

    @contextlib.contextmanager
    def open(self, heartbeat_s: float) -> Iterator[Pulse]:
        """Give the attempt its folder, its log and its pulse; all are gone afterwards."""
        folder = self.folders.jobs / f"{self.order.job_id}-{self.order.attempt}"
        folder.mkdir()
        job_log = ChildLog(folder / "job.txt")
        self._telemetry = Telemetry(self.bench, self.nursery)
        pulse = Pulse(
            self.client,
            self.order.token,
            heartbeat_s=heartbeat_s,
            telemetry=self._telemetry.read,
            log_tail=job_log.tail,
        )
        checkouts = Checkouts(self.folders.mirrors, stop=pulse.stopped)
        self._job = Job(
            self.order,
            folder,
            checkouts,
            self.nursery,
            self.cache,
            pulse,
            job_log,
            price_per_hour=self.bench.price_per_hour,
            soaks=self.folders.soaks,
            device="cuda" if self.bench.gpu else "cpu",
            fetch=self.fetch,
            pair_done=self._pair_send,
        )
        try:
            with pulse:
                yield pulse
        finally:
            job_log.close()
            shutil.rmtree(folder, ignore_errors=True)

    def carry_out(self) -> None:
        """Do the job; its result goes into the spool and from there home.

        Raises:
            Offline: the site is away; the result stays in the spool.
            Refused: the site no longer takes this worker's token; the same.
            OSError: the disk cannot even keep the result.
        """
        token = self.order.token
        try:
            finished = self._do()
            self.spool.report_save(token, finished.report, finished.files)
        except JobStopped:
            self._end_stopped()
        except JobFailed as error:
            log.info("job failed", kind=error.failure.kind, message=str(error)[:300])
            self.spool.failure_save(token, error.failure)
        except Exception as error:
            log.exception("the worker itself failed")
            self.spool.failure_save(token, self._own_failure(error))
        if token in self.spool.pending():
            self._job.pulse.tell("sending", 0.99)
            self.spool.deliver(self.client, token)

    def disk_failed(self, error: OSError) -> None:
        """Nothing can be kept here, so the site is told at once: another worker may do better.

        When it is away, too, the lease runs out, which comes to the same.
        """
        log.error("the worker's disk fails", error=str(error))
        message = f"the worker cannot keep anything on its disk: {error}"
        with contextlib.suppress(SiteError):
            self.client.failure(
                self.order.token, Failure(kind="environment", message=message[:4000], retry=True)
            )

    def _do(self) -> Finished:
        finished = KINDS.get(self.order.kind, _kind_unknown)(self._job)
        self._job.log.close()
        return artifact_added(remarks_added(finished, self._telemetry.remarks()), self._job.log.path, "log")

    def _pair_send(self, pair: Pair) -> None:
        """Keep a pair, and send it with those before it; a site that is away gets them later."""
        self.spool.pair_save(self.order.token, pair)
        try:
            self.spool.pairs_deliver(self.client, self.order.token)
        except Refused as error:  # the report will meet the same, and the station then asks why
            log.info("a pair waits in the spool", reason=str(error))

    def _own_failure(self, error: Exception) -> Failure:
        """What the site is told when the worker, not the job, went wrong: another one may do better."""
        message = f"the worker failed: {type(error).__name__}: {error}"
        failure = self._job.fail("environment", message, retry=True).failure
        log_tail = f"{failure.log}\n{traceback.format_exc()}"[-60_000:]
        return Failure(kind="environment", message=failure.message, log=log_tail, retry=True)

    def _end_stopped(self) -> None:
        reason, token = self._job.pulse.reason, self.order.token
        log.info("job stopped", reason=reason)
        if reason == "cancelled":
            self.spool.failure_save(token, self._job.fail("cancelled", "the job was cancelled").failure)
        elif reason in ("shutdown", "yielded"):
            try:
                self.spool.pairs_deliver(self.client, token)
                self.client.give_back(token)
            except (Refused, Superseded, Unreachable) as error:
                log.info("the job could not be given back, its lease will expire", reason=str(error))


def _kind_unknown(job: Job) -> Finished:
    kind = job.order.kind
    raise job.fail("protocol", f"this worker cannot do a job of the kind {kind!r}; update the worker")
