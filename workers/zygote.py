"""The zygote: a small process that has imported the heavy libraries and forks one child per block.

It runs with the scrubbed environment, on the device's cores, with one thread, and has executed no
operator and initialised no CUDA, so that a forked child behaves like a fresh process that starts
2 s sooner.  Every descendant of a child that outlives it is adopted and ended here.  When the
worker goes away, even by SIGKILL, its end of the socket closes and everything here ends too.

Messages are JSON, one per packet: see `Nursery` for the other end.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workers.process import adopt_orphans, die_with_parent

PACKET = 65536
EVENTS_FD = 3


def main(arguments: list[str]) -> None:
    """Serve until the worker closes the socket.

    `arguments` are the worker's process id (0 where a sandbox sees to it), the socket's descriptor, the
    cores (`1,2,3`, or empty for all) and the modules to import, joined by commas.
    """
    parent, descriptor, cores, modules = arguments
    signal.signal(signal.SIGTERM, _on_term)
    if parent != "0":
        die_with_parent(int(parent), signal.SIGTERM)
    adopt_orphans()
    if cores:  # before the imports: OpenMP counts its threads when it is loaded
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    control = socket.socket(fileno=int(descriptor))
    control.set_inheritable(False)
    missing = _import_all([name for name in modules.split(",") if name])
    gc.collect()
    gc.freeze()  # what the imports made is never collected, so its pages stay shared
    _send(control, {"ready": True, "missing": missing, "threads": _lasting_threads()})
    _Zygote(control).serve()


class _Zygote:
    """Forks children one after the other and tells how each ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._child: int | None = None
        self._bell, bell_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(bell_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def serve(self) -> None:
        while True:
            readable, _, _ = select.select([self._control.fileno(), self._bell], [], [])
            if self._bell in readable:
                os.read(self._bell, 4096)
                self._reap()
            if self._control.fileno() in readable and not self._obey():
                end_descendants()
                return

    def _obey(self) -> bool:
        """Do what the next message says; False when the worker has gone."""
        data, descriptors, _, _ = socket.recv_fds(self._control, PACKET, 2)
        if not data:
            return False
        message = json.loads(data)
        if "end" in message:
            end_descendants()
            return True
        log, events = descriptors
        child = os.fork()
        if child == 0:
            _live_as_child(message, log, events)
        os.close(log)
        os.close(events)
        self._child = child
        _send(self._control, {"pid": child})
        return True

    def _reap(self) -> None:
        """Bury the dead; when the child is among them, end what it left behind and tell its status."""
        ended = None
        for pid, status in _dead():
            if pid == self._child:
                ended, self._child = status, None
                end_descendants()
        if ended is not None:
            _send(self._control, {"status": ended})


def _dead() -> Iterator[tuple[int, int]]:
    """Process id and wait status of every child that has ended, adopted ones included."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def end_descendants(seconds: float = 5.0) -> None:
    """Kill every process below this one and wait, at most `seconds`, until none is alive."""
    deadline = time.monotonic() + seconds
    while (alive := _descendants()) and time.monotonic() < deadline:
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it ended by itself between the list and the signal
        time.sleep(0.005)


def _descendants() -> list[int]:
    """Living descendants (zombies left out), found through each process's parent in /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = stat.rpartition(b")")[2].split()[:2]
        if state not in b"ZX":
            parents[int(entry.name)] = int(parent)
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    return sorted(found - {os.getpid()})


def _live_as_child(message: dict[str, Any], log: int, events: int) -> None:
    """Turn the freshly forked process into the block's child and run its entry; never returns."""
    code = 70  # EX_SOFTWARE of sysexits.h: the entry did not even start
    try:
        zygote = os.getppid()
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(zygote, signal.SIGKILL)
        _rewire(log, events)
        _settle(Path(message["folder"]), message["environment"])
        module, _, function = message["entry"].partition(":")
        code = getattr(importlib.import_module(module), function)(Path(message["folder"]), EVENTS_FD)
    except BaseException as error:  # the entry answers for what it runs: this is the worker's own trouble
        traceback.print_exc()
        _tell_no_start(error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tell_no_start(error: BaseException) -> None:
    """The event of a child whose entry did not start, or ended by an exception."""
    told = f"the worker's measuring process does not run: {type(error).__name__}: {error}"
    if isinstance(error, ImportError):
        told += f"; its environment {sys.prefix} lacks it (PYTHONPATH does not reach measuring processes)"
    line = {"failure": "environment", "message": told[:2000], "retry": True}
    with contextlib.suppress(OSError):
        os.write(EVENTS_FD, json.dumps(line).encode() + b"\n")


def _rewire(log: int, events: int) -> None:
    """Leave four descriptors: no input, the log twice, the events; all others are closed."""
    null = os.open(os.devnull, os.O_RDONLY)
    keep = [os.dup(fd) for fd in (null, log, events)]  # out of the way of the numbers below
    os.dup2(keep[0], 0)
    os.dup2(keep[1], 1)
    os.dup2(keep[1], 2)
    os.dup2(keep[2], EVENTS_FD, inheritable=False)
    os.closerange(EVENTS_FD + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the process's life
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115 - the same
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115 - the same


def _settle(folder: Path, environment: dict[str, str]) -> None:
    """Give the child its folder and environment, and what a fresh process would not share."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["block"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Path("/proc/self/oom_score_adj").write_text("500")  # the kernel takes the child before the worker
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()  # or every child would draw the same "random" numbers


def _import_all(modules: list[str]) -> dict[str, str]:
    """Import each module; those that cannot be are returned with the reason."""
    missing = {}
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            missing[name] = f"{type(error).__name__}: {error}"
    return missing


def _lasting_threads() -> int:
    """Threads that outlive a fork, this one included.

    A pool that knows of forks (OpenBLAS starts one with numpy) ends its threads just before the
    first and starts them again when it needs them; any that stays makes forking unsafe.
    """
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return len(list(Path("/proc/self/task").iterdir()))


def _send(control: socket.socket, message: dict[str, Any]) -> None:
    try:
        control.send(json.dumps(message).encode())
    except (BrokenPipeError, ConnectionResetError):
        return  # the worker has gone; the next read sees it and ends everything


def _on_term(_number: int, _frame: object) -> None:
    end_descendants()
    os._exit(143)
