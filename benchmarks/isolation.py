"""A call in a process of its own, so that what it loads is all that it is charged for."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, TypeVar

import psutil

from benchmarks.errors import MeasureError

Answer = TypeVar("Answer")

EVERY_S = 0.01  # how often `meanwhile` is called
LINGER_S = 5.0  # that a child may take to end after its answer

_PR_SET_PDEATHSIG = 1  # prctl(2)
_FRESH = (
    "import sys; sys.path[:] = {path!r}; from benchmarks.isolation import fresh_serve; fresh_serve({end})"
)


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


@dataclass(frozen=True)
class _Child:
    """A running child: its number, our end of the pipe, how to await its exit code, how to end it."""

    pid: int
    pipe: Connection
    wait: Callable[[float | None], int | None]
    kill: Callable[[], None]

    def end(self) -> None:
        """Await its end a little, for what it has to say is said; then end it.

        A thread that the watched code left running would otherwise keep it for ever.
        """
        if self.wait(LINGER_S) is None:
            self.kill()
            self.wait(None)


def isolated(
    call: Callable[..., Answer],
    *arguments: Any,
    method: Literal["fork", "spawn"],
    meanwhile: Callable[[int], None] | None = None,
    every_s: float = EVERY_S,
    environment: dict[str, str] | None = None,
) -> Answer:
    """What `call(*arguments)` returns or raises, run in a child process.

    `fork` costs milliseconds, but OpenMP's threads do not survive it: after a parallel region in this
    process the child would wait for them for ever.  It is safe while this process has neither
    started CUDA nor a native thread; otherwise `spawn`, a fresh interpreter that imports nothing but
    what the call needs, for which `call` and its arguments must pickle.
    `meanwhile` is called with the child's number every `every_s` seconds while the child works;
    `environment` adds variables to those of a spawned child.

    Raises:
        MeasureError: the child ended without an answer, killed for its memory perhaps.
    """
    child = _fork(call, arguments) if method == "fork" else _spawn(call, arguments, environment or {})
    try:
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


def _fork(call: Callable[..., Any], arguments: tuple[Any, ...]) -> _Child:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer_send, args=(theirs, call, arguments))
    process.start()
    theirs.close()

    def wait(most_s: float | None) -> int | None:
        process.join(most_s)
        return process.exitcode

    return _Child(process.pid or 0, ours, wait, process.kill)


def _spawn(call: Callable[..., Any], arguments: tuple[Any, ...], environment: dict[str, str]) -> _Child:
    """Not multiprocessing's own: its child imports this process's main module again first."""
    ours, theirs = multiprocessing.Pipe(duplex=True)
    process = subprocess.Popen(
        [sys.executable, "-c", _FRESH.format(path=sys.path, end=theirs.fileno())],
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        env={**os.environ, **environment},
    )
    theirs.close()

    def wait(most_s: float | None) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(most_s)
        return None

    child = _Child(process.pid, ours, wait, process.kill)
    try:
        ours.send((call, arguments))
    except BrokenPipeError:
        pass  # it ended early; whoever reads its answer finds out
    except BaseException:
        child.kill()
        child.wait(None)
        raise
    return child


def fresh_serve(end: int) -> None:
    """The main function of a spawned child: take the call from the pipe `end`, send its answer there."""
    pipe = Connection(end)
    call, arguments = pipe.recv()
    _answer_send(pipe, call, arguments)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _answer_send(pipe: Connection, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    _die_with_parent()
    try:
        pipe.send(("value", call(*arguments)))
    except Exception as error:  # whatever it is, the parent raises it
        pipe.send(("error", _portable(error)))
    finally:
        pipe.close()


def _portable(error: Exception) -> Exception:
    """The error itself where it survives pickling, else its name and words."""
    try:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # a native library's error may hold anything
        copy = None
    return error if isinstance(copy, Exception) else MeasureError(f"{type(error).__name__}: {error}")
