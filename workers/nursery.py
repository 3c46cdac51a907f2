"""The nursery: the worker's hold on its zygote, which forks one child per block.

Started lazily, restarted when it died, ended with the worker.  Without modules to import ahead it
is the plain way: every child then starts from a bare interpreter and imports everything itself.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import structlog

from workers.zygote import PACKET

log = structlog.get_logger(__name__)

PRELOAD = (
    "torch",
    "onnx",
    "benchmarks.session",
    "benchmarks.export",
    "benchmarks.models.source",
    "benchmarks.runners.torch_runner",
    "torch._dynamo",
    "torch.onnx._internal.exporter._core",
)
"""Imported before the fork.  onnxruntime is left out: importing it starts a thread that outlives a
fork, and it costs 0.03 s."""

_PACKAGE_ROOT = Path(__file__).resolve().parent.parent
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from workers.zygote import main; main(sys.argv[2:])"
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
"""What a child may know of the worker's environment: nothing that can hold a secret.
LD_LIBRARY_PATH is where a machine's CUDA and TensorRT libraries are found."""
_LIBRARIES = ("CUDA_", "MKL_", "ATEN_", "ONEDNN_", "NPY_")
"""What an operator's settings of the numeric libraries begin with: which instructions they use."""


CLOSE_S = 6.0


class NurseryError(Exception):
    """The zygote could not be started or died; the machine's fault, so another try may end otherwise."""


def child_environment(home: Path, *, visible_gpu: str | None) -> dict[str, str]:
    """The whole environment of a child whose home is `home`; `visible_gpu` is a GPU's UUID or None."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment.update({name: value for name, value in os.environ.items() if name.startswith(_LIBRARIES)})
    environment.setdefault("LANG", "C.UTF-8")
    environment.setdefault("PATH", os.defpath)
    environment |= {"HOME": str(home), "TMPDIR": str(home)}
    environment["CUDA_VISIBLE_DEVICES"] = visible_gpu or ""  # a worker on the processor sees no GPU
    return environment


class Fork:
    """A running child: its process id, and how it ended once `status` is not None."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self.status: int | None = None
        self._nursery = nursery

    def poll(self, timeout: float) -> int | None:
        """The status of `wait(2)` when the child has ended within `timeout` seconds, else None.

        Raises:
            NurseryError: the zygote died, and its child with it.
        """
        if self.status is None:
            answer = self._nursery.receive(timeout)
            self.status = None if answer is None else answer["status"]
        return self.status

    def end(self) -> None:
        """Kill the child and everything below it; `poll` then tells the status."""
        self._nursery.tell({"end": True})


class Nursery:
    """A context manager; `fork` may be called again and again, one child at a time.

    `sandbox` has the words before the zygote's command that confine it (see `sandbox.py`).

    The kernel ends the zygote with the thread that started it, so that thread must outlive the jobs.
    """

    def __init__(
        self,
        *,
        home: Path,
        cores: tuple[int, ...] = (),
        visible_gpu: str | None = None,
        preload: tuple[str, ...] = PRELOAD,
        start_timeout_s: float = 120.0,
        sandbox: tuple[str, ...] = (),
    ) -> None:
        self._home = home
        self._cores = cores
        self._visible_gpu = visible_gpu
        self._preload = preload
        self._start_timeout_s = start_timeout_s
        self._sandbox = sandbox
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The zygote's process id, None while there is none."""
        return None if self._process is None else self._process.pid

    def family(self) -> list[psutil.Process]:
        """The child and everything below it, as it is now."""
        if self._process is None:
            return []
        try:
            zygote = psutil.Process(self._process.pid)
            if self._sandbox:  # what was started only waits for the zygote, its one child
                zygote = next(iter(zygote.children()), zygote)
            return zygote.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    @property
    def control(self) -> socket.socket:
        """The socket to the zygote, to wait on."""
        if self._control is None:
            raise NurseryError("the zygote is not running")
        return self._control

    def fork(self, *, folder: Path, entry: str, log_fd: int, events_fd: int) -> Fork:
        """Start a child in `folder` that calls `entry` (`module:function`).

        Raises:
            NurseryError: twice in a row the zygote could not be brought to fork.
        """
        request = {
            "folder": str(folder),
            "entry": entry,
            "environment": child_environment(folder, visible_gpu=self._visible_gpu),
        }
        for last in (False, True):
            try:
                self.warm()
                socket.send_fds(self.control, [json.dumps(request).encode()], [log_fd, events_fd])
                return Fork(self, self._expect(30.0, "did not fork")["pid"])
            except (NurseryError, OSError) as error:
                self.close()
                if last:
                    raise NurseryError(f"no child could be started: {error}") from error
                log.warning("the zygote is started again", reason=str(error))
        raise AssertionError("unreachable")

    def warm(self) -> None:
        """Start the zygote unless it runs; returns when its imports are done.

        Raises:
            NurseryError: it did not become ready.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        started = time.monotonic()
        self._start()
        ready = self._expect(self._start_timeout_s, "was not ready")
        for name, reason in ready["missing"].items():
            log.info("not imported ahead", module=name, reason=reason)
        if ready["threads"] != 1:
            log.warning("the zygote has threads, a forked child may hang", threads=ready["threads"])
        log.info("zygote ready", pid=self.pid, seconds=round(time.monotonic() - started, 2))

    def _start(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [
                    *self._sandbox,
                    sys.executable,
                    "-P",
                    "-c",
                    _BOOT,
                    str(_PACKAGE_ROOT),
                    # inside, the worker has no process id: bubblewrap ends all with it
                    "0" if self._sandbox else str(os.getpid()),
                    str(other.fileno()),
                    ",".join(map(str, self._cores)),
                    ",".join(self._preload),
                ],
                stdin=subprocess.DEVNULL,
                stdout=2,
                pass_fds=[other.fileno()],
                cwd=self._home,
                env=child_environment(self._home, visible_gpu=self._visible_gpu),
                start_new_session=True,  # Ctrl-C on the terminal is the worker's to handle
            )

    def _expect(self, timeout: float, otherwise: str) -> dict[str, Any]:
        """The next message, which must come within `timeout` seconds."""
        message = self.receive(timeout)
        if message is None:
            self.close()
            raise NurseryError(f"the zygote {otherwise} within {timeout:g} s")
        return message

    def tell(self, message: dict[str, Any]) -> None:
        """Send one message to the zygote; a zygote that has died has nothing left to do."""
        try:
            self.control.send(json.dumps(message).encode())
        except (NurseryError, OSError) as error:
            log.info("the zygote is gone", reason=str(error))

    def receive(self, timeout: float) -> dict[str, Any] | None:
        """The zygote's next message, or None after `timeout` seconds.

        Raises:
            NurseryError: it died.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            if not selector.select(timeout):
                return None
        try:
            data = self.control.recv(PACKET)
        except ConnectionResetError:
            data = b""
        if not data:
            raise NurseryError("the zygote died")
        message: dict[str, Any] = json.loads(data)
        return message

    def close(self) -> None:
        """End the zygote, its child and all below; nothing happens when it does not run."""
        process, control = self._process, self._control
        self._process = self._control = None
        if control is not None:
            control.close()  # the zygote reads the end of the socket and ends everything
        if process is None:
            return
        try:
            process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
