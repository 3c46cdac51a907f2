"""A call in a process of its own, so that what it loads is all that it is charged for."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, TypeVar

import psutil

from benchmarks.errors import MeasureError

Answer = TypeVar("Answer")

_PR_SET_PDEATHSIG = 1  # prctl(2)


def native_thread_count() -> int:
    """Threads of this process that Python did not start, the main one included; 1 where not told."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return 1
    return sum(1 for _ in tasks.iterdir()) - threading.active_count() + 1


def process_family() -> set[int]:
    """This process, its ancestors in the same job and its descendants, by number (Linux)."""
    own = psutil.Process()
    return {
        own.pid,
        *(child.pid for child in own.children(recursive=True)),
        *(up.pid for up in own.parents()),
    }


def isolated(call: Callable[..., Answer], *arguments: Any, method: Literal["fork", "spawn"]) -> Answer:
    """What `call(*arguments)` returns or raises, run in a child process.

    `fork` costs milliseconds, but OpenMP's threads do not survive it: after a parallel region in this
    process the child would wait for them for ever.  It is safe while this process has neither
    started CUDA nor a native thread; otherwise `spawn`, for which `call` and its arguments must pickle.

    Raises:
        MeasureError: the child ended without an answer, killed for its memory perhaps.
    """
    context: Any = multiprocessing.get_context(method)
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_answer_send, args=(theirs, call, arguments))
    child.start()
    theirs.close()
    try:
        kind, value = ours.recv()
    except EOFError:
        child.join()
        raise MeasureError(f"the child process that measured ended with exit code {child.exitcode}") from None
    finally:
        ours.close()
    child.join()
    if kind == "error":
        raise value
    answer: Answer = value
    return answer


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _answer_send(pipe: Connection, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    _die_with_parent()
    try:
        pipe.send(("value", call(*arguments)))
    except Exception as error:  # whatever it is, the parent raises it
        pipe.send(("error", error))
    finally:
        pipe.close()
