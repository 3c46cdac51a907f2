"""A child process that answers messages one by one, in a fresh interpreter, and can be killed at any moment.

Its interpreter imports what the answers need and nothing of this process (`multiprocessing` would
import the main module again), so that what its start costs does not depend on who starts it.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.errors import MeasureError

Answer = Callable[[Any], Any]

STUCK_MOST_S = 60.0  # a message that has begun and does not move on for so long never will
_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; from benchmarks.serving.child import child_main; child_main({end})"
)


@dataclass(frozen=True)
class Child:
    """A running child and our end of its pipe."""

    process: subprocess.Popen[bytes]
    pipe: Connection

    def send(self, message: Any) -> None:
        """Put a message into its queue; it answers in order.  `receive` tells when it has ended.

        Raises:
            MeasureError: the queue is full and the child takes nothing from it for `STUCK_MOST_S`.
        """
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                self.pipe.send(message)
        except BlockingIOError:
            raise MeasureError(
                f"process {self.process.pid} took nothing from its full queue for {STUCK_MOST_S:.0f} s; it "
                "hangs, or nobody receives the answers that it waits to give"
            ) from None

    def receive(self, most_s: float) -> Any:
        """Its next answer.

        Raises:
            Exception: what the answering raised there.
            MeasureError: it ended, did not begin to answer within `most_s` seconds, or stopped within its
                answer for `STUCK_MOST_S`.
        """
        if not self.pipe.poll(most_s):
            raise MeasureError(f"process {self.process.pid} did not answer within {most_s:.0f} s")
        try:
            kind, value = self.pipe.recv()
        except BlockingIOError:
            raise MeasureError(
                f"process {self.process.pid} stopped in the midst of an answer for {STUCK_MOST_S:.0f} s"
            ) from None
        except (EOFError, OSError):  # OSError: it ended within an answer
            code = self.process.wait()
            raise MeasureError(
                f"process {self.process.pid} ended with exit code {code}, without an answer"
            ) from None
        if kind == "error":
            raise value
        return value

    def kill(self) -> None:
        """SIGKILL, and take its exit code, so that no zombie stays; harmless when it has ended."""
        self.process.kill()
        self.process.wait()


def child_start(opening: Callable[..., AbstractContextManager[Answer]], *arguments: Any) -> Child:
    """Start a child that enters `opening(*arguments)` and answers messages with what that yields.

    `opening` is a function of a module and the arguments must pickle.  Whoever starts it ends it by
    `kill` and closes its pipe; it ends by itself when this process does.
    """
    ours, theirs = Pipe(duplex=True)
    _deadlines_set(ours, STUCK_MOST_S)
    program = _PROGRAM.format(path=sys.path, end=theirs.fileno())
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
    )
    theirs.close()
    child = Child(process, ours)
    try:
        child.send((opening, arguments))
    except BaseException:
        child.kill()
        ours.close()
        raise
    return child


def _deadlines_set(end: Connection, seconds: float) -> None:
    """Let a blocked send or receive raise BlockingIOError after `seconds` instead of waiting for ever.

    The pipe is a pair of Unix sockets, and its other end keeps waiting as long as it likes (socket(7),
    SO_RCVTIMEO).
    """
    whole, rest = divmod(seconds, 1.0)
    timeval = struct.pack("@ll", int(whole), int(rest * 1e6))
    with socket.socket(fileno=os.dup(end.fileno())) as plain:
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            plain.setsockopt(socket.SOL_SOCKET, option, timeval)


@contextmanager
def children_open(
    count: int, opening: Callable[..., AbstractContextManager[Answer]], *arguments: Any
) -> Iterator[list[Child]]:
    """`count` children of the same kind, started at once; all are ended, whatever happens inside."""
    children: list[Child] = []
    try:
        for _ in range(count):
            children.append(child_start(opening, *arguments))
        yield children
    finally:
        for child in children:
            child.kill()
            child.pipe.close()


def child_main(end: int) -> None:
    """The main function of a child; `end` is its pipe's file descriptor."""
    pipe = Connection(end)
    try:
        opening, arguments = pipe.recv()
        with opening(*arguments) as answer:
            while True:
                pipe.send(("value", answer(pipe.recv())))
    except (EOFError, ConnectionResetError, BrokenPipeError):
        return  # whoever asked is gone
    except Exception as error:  # whatever it is, the one who asked raises it
        pipe.send(("error", _portable(error)))


def _portable(error: Exception) -> Exception:
    """The error itself where it survives pickling, else its name and words."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # a native library's error may hold anything
        return MeasureError(f"{type(error).__name__}: {error}")
    return error
