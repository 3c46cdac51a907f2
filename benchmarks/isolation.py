"""A call in a process of its own, so that what it loads is all that it is charged for."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Literal, TypeVar

from benchmarks.errors import MeasureError

Answer = TypeVar("Answer")


def isolated(call: Callable[..., Answer], *arguments: Any, method: Literal["fork", "spawn"]) -> Answer:
    """What `call(*arguments)` returns or raises, run in a child process.

    `fork` costs milliseconds and is safe while this process has neither started CUDA nor run
    anything on more than one thread; otherwise `spawn`, for which `call` and its arguments pickle.

    Raises:
        MeasureError: the child ended without an answer, killed for its memory perhaps.
    """
    context = multiprocessing.get_context(method)
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


def _answer_send(pipe: Connection, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        pipe.send(("value", call(*arguments)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
        pipe.send(("error", error))
    finally:
        pipe.close()
