"""The zygote: what runs in the process that `nursery.py` forks.  It forks a child for each request.

It has the imports and nothing else: no thread, no model, no CUDA.  A request is a packet with the names
of modules to import first and, as its ancillary data, the pipe that the child takes its call from.  Two
packets answer it: the child's number, and once it has ended how it ended and the processor seconds it took.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import stat
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.child import call_answer, die_with_parent
from benchmarks.device import cuda_started
from benchmarks.preload import modules_import

PACKET = 65536  # bytes


def zygote_live(control: socket.socket, job: int) -> NoReturn:
    """What the freshly forked process does until `control` has no other end any more.

    SIGINT is blocked when it begins: the job's own handler is still in place.
    """
    try:
        os.setsid()  # Ctrl-C on the terminal is the job's to handle
        die_with_parent(job)
        _settle(control)
        _serve(control)
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(0)


def _settle(control: socket.socket) -> None:
    """Give up what is the job's: its signal handlers, its input, every pipe and socket but `control`."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if descriptor not in (1, 2, control.fileno()) and _is_stream(descriptor):
            # not closed: a library that still knows the number must not find another file there
            os.dup2(null, descriptor, inheritable=False)
    os.close(null)
    gc.freeze()  # what the imports made is never collected, so that a child need not copy its pages


def _is_stream(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:  # the list's own, closed meanwhile
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _serve(control: socket.socket) -> None:
    zygote = os.getpid()
    while True:
        data, ends, _, _ = socket.recv_fds(control, PACKET, 1)
        if not data:
            return
        modules_import(json.loads(data)["imports"])
        if cuda_started():
            return  # no child could use the GPU
        child = os.fork()
        if child == 0:
            control.close()
            _child_live(ends[0], zygote)
        os.close(ends[0])
        _tell(control, {"pid": child})
        _, status, usage = os.wait4(child, 0)
        code = os.waitstatus_to_exitcode(status)
        _tell(control, {"code": code, "processor_s": usage.ru_utime + usage.ru_stime})


def _child_live(end: int, zygote: int) -> NoReturn:
    """Answer one call and end, whatever threads it left running."""
    code = 1
    try:
        die_with_parent(zygote)
        call_answer(Connection(end))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tell(control: socket.socket, message: dict[str, Any]) -> None:
    control.send(json.dumps(message).encode())
