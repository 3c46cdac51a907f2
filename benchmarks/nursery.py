"""The nursery: a job's hold on its zygote, a process forked from the job's while that is clean.

What measures memory wants a process that has the imports and nothing else, and soon after its imports the
job's process has more: a model's memory, native threads and CUDA, which no fork takes along unharmed.
A fresh interpreter would import everything again, seconds for each case.  So the job forks the zygote
right after its imports, and that one forks a child for each call, in milliseconds, on any number of cores.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from benchmarks.child import Child
from benchmarks.device import cuda_started
from benchmarks.zygote import PACKET, zygote_live

_imported: set[int] = set()  # threads that imports started: no model's, so a fork does without them


@contextlib.contextmanager
def nursery_open(imports: Callable[[], None]) -> Iterator[Nursery | None]:
    """Call `imports`, then a nursery whose children have them; None where a fork would not be clean.

    That is where CUDA or a thread is running that something else than imports started: OpenMP's threads
    do not survive a fork, and a child that needs them waits for ever.  And anywhere but on Linux.
    """
    strangers = native_threads() - _imported
    imports()
    if sys.platform != "linux" or cuda_started():
        yield None
        return
    nursery = Nursery()
    try:
        # looked at after the fork, for which OpenBLAS ends its own threads
        _imported.update(native_threads() - strangers)
        yield None if strangers & native_threads() else nursery
    finally:
        nursery.close()


def native_threads() -> set[int]:
    """The threads of this process that Python did not start, by number; none where not told."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return set()
    # after a fork Python may still know the main thread, whose number is the process's, by its parent's
    pythons = {os.getpid(), *(thread.native_id for thread in threading.enumerate())}
    return {int(task.name) for task in tasks.iterdir()} - pythons


class Nursery:
    """One child at a time.  `processor_s` are the processor seconds of those that have ended.

    The kernel ends the zygote with the thread that made it, so that thread must outlive the calls.
    """

    def __init__(self) -> None:
        self.processor_s = 0.0
        self._imports: tuple[str, ...] = ()
        self._busy = False
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # or each child would write once more what waits there
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        job = os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.pid = os.fork()
            if self.pid == 0:
                zygote_live(other, job)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        other.close()

    def imports_add(self, names: Iterable[str]) -> None:
        """Have the zygote import these modules too before it forks the next child."""
        self._imports = tuple(dict.fromkeys((*self._imports, *names)))

    def fork(self) -> Child | None:
        """A child that waits for its call; None while there is another, or when the zygote has ended."""
        if self._busy or self._control.fileno() < 0:
            return None
        ours, theirs = multiprocessing.Pipe(duplex=True)
        request = json.dumps({"imports": self._imports}).encode()
        try:
            socket.send_fds(self._control, [request], [theirs.fileno()])
            pid = self._told(None)["pid"]
        except OSError:
            self.close()
            return None
        except BaseException:
            self.close()  # nobody could tell its answer from the next one's
            raise
        finally:
            theirs.close()
        self._busy = True
        return _Forked(self, pid, ours)

    def ended(self, most_s: float | None) -> int | None:
        """The child's exit code; None when it is still running after `most_s` seconds."""
        try:
            told = self._told(most_s)
        except OSError:
            self.close()
            return -signal.SIGKILL  # a child ends with its zygote
        if not told:
            return None
        self._busy = False
        self.processor_s += told["processor_s"]
        code: int = told["code"]
        return code

    def _told(self, most_s: float | None) -> dict[str, Any]:
        """The zygote's next message; empty after `most_s` seconds.

        Raises:
            OSError: the zygote has ended.
        """
        if not wait([self._control], most_s):
            return {}
        data = self._control.recv(PACKET)
        if not data:
            raise ConnectionResetError("the zygote has ended")
        message: dict[str, Any] = json.loads(data)
        return message

    def close(self) -> None:
        """End the zygote and with it a child that it has; once is enough."""
        if self._control.fileno() < 0:
            return
        self._control.close()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.processor_s = 0.0  # from now on the kernel counts them among this process's children


class _Forked(Child):
    def __init__(self, nursery: Nursery, pid: int, pipe: Connection) -> None:
        super().__init__(pid, pipe)
        self._nursery = nursery
        self._code: int | None = None

    def wait(self, most_s: float | None) -> int | None:
        if self._code is None:
            self._code = self._nursery.ended(most_s)
        return self._code

    def kill(self) -> None:
        if self.wait(0.0) is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
