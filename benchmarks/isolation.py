"""A call in a process of its own, so that what it loads is all that it is charged for."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import psutil

from benchmarks.child import LINGER_S, Child
from benchmarks.errors import MeasureError
from benchmarks.nursery import Nursery

Answer = TypeVar("Answer")

EVERY_S = 0.01  # how often `meanwhile` is called

_FRESH = (
    "import sys; sys.path[:] = {path!r}; from benchmarks.child import fresh_serve; "
    "fresh_serve({end}, {parent})"
)


def process_family() -> set[int]:
    """This process, its ancestors in the same job and its descendants, by number (Linux)."""
    own = psutil.Process()
    return {
        own.pid,
        *(child.pid for child in own.children(recursive=True)),
        *(up.pid for up in own.parents()),
    }


def isolated(
    call: Callable[..., Answer],
    *arguments: Any,
    nursery: Nursery | None = None,
    meanwhile: Callable[[int], None] | None = None,
    every_s: float = EVERY_S,
    environment: dict[str, str] | None = None,
) -> Answer:
    """What `call(*arguments)` returns or raises, run in a child process; call and arguments must pickle.

    `nursery` forks the child, in milliseconds, with the job's imports.  Without one, and while that has
    another child or none can be had of it, it is a fresh interpreter, which imports what the call needs.
    `meanwhile` is called with the child's number every `every_s` seconds while the child works;
    `environment` adds variables to those of a fresh interpreter.

    Raises:
        MeasureError: the child ended without an answer, killed for its memory perhaps.
    """
    child = (nursery.fork() if nursery is not None else None) or _spawn(environment or {})
    try:
        with contextlib.suppress(BrokenPipeError):  # it ended early: reading its answer tells
            child.pipe.send((call, arguments))
        while meanwhile is not None and not child.pipe.poll(every_s):
            meanwhile(child.pid)
        kind, value = child.pipe.recv()
    except (EOFError, ConnectionResetError):
        raise MeasureError(
            f"the child process that measured ended with exit code {child.wait(LINGER_S)}, without an answer"
        ) from None
    except BaseException:
        child.kill()
        raise
    finally:
        child.pipe.close()
        child.end()
    if kind == "error":
        raise value
    answer: Answer = value
    return answer


def _spawn(environment: dict[str, str]) -> Child:
    """Not multiprocessing's own: its child imports this process's main module again first."""
    ours, theirs = multiprocessing.Pipe(duplex=True)
    with contextlib.closing(theirs):
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _FRESH.format(path=sys.path, end=theirs.fileno(), parent=os.getpid()),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **environment},
        )
    return _Spawned(process, ours)


class _Spawned(Child):
    def __init__(self, process: subprocess.Popen[bytes], pipe: Connection) -> None:
        super().__init__(process.pid, pipe)
        self._process = process

    def wait(self, most_s: float | None) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(most_s)
        return None

    def kill(self) -> None:
        self._process.kill()
