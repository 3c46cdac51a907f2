"""A child process that takes one call and answers it: what its parent holds of it, and its own side."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import sys
from abc import ABC, abstractmethod
from multiprocessing.connection import Connection

from benchmarks.errors import MeasureError

LINGER_S = 5.0  # that a child may take to end after its answer

_PR_SET_PDEATHSIG = 1  # prctl(2)


class Child(ABC):
    """A running child: its number, our end of the pipe, how to await its exit code, how to end it."""

    def __init__(self, pid: int, pipe: Connection) -> None:
        self.pid = pid
        self.pipe = pipe

    @abstractmethod
    def wait(self, most_s: float | None) -> int | None:
        """Its exit code, negative for a signal; None when it is still running after `most_s` seconds."""

    @abstractmethod
    def kill(self) -> None:
        """Send SIGKILL, unless it has ended."""

    def end(self) -> None:
        """Await its end a little, for what it has to say is said; then end it.

        A thread that the watched code left running would otherwise keep it for ever.
        """
        if self.wait(LINGER_S) is None:
            self.kill()
            self.wait(None)


def die_with_parent(parent: int) -> None:
    """Have the kernel end this process when the thread that started it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it was asked
        os.kill(os.getpid(), signal.SIGKILL)


def fresh_serve(end: int, parent: int) -> None:
    """The main function of a fresh interpreter that takes its call from the pipe `end`."""
    die_with_parent(parent)
    call_answer(Connection(end))


def call_answer(pipe: Connection) -> None:
    """Take a call from `pipe` and send there what it returns or raises."""
    with contextlib.closing(pipe):
        try:
            call, arguments = pipe.recv()
        except EOFError:
            return  # whoever wanted to call gave it up
        try:
            pipe.send(("value", call(*arguments)))
        except Exception as error:  # whatever it is, the parent raises it
            pipe.send(("error", _portable(error)))


def _portable(error: Exception) -> Exception:
    """The error itself where it survives pickling, else its name and words."""
    try:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # a native library's error may hold anything
        copy = None
    return error if isinstance(copy, Exception) else MeasureError(f"{type(error).__name__}: {error}")
