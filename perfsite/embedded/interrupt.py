"""Ctrl-C and SIGTERM as one exception, so that every `with` block ends as it should."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequestedError(BaseException):
    """Somebody asked this command to stop; no error, so it passes every `except Exception`."""


@contextmanager
def stop_signals() -> Iterator[None]:
    """Inside, the first SIGINT or SIGTERM raises StopRequestedError; further ones are ignored."""

    def stop(number: int, frame: FrameType | None) -> None:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        raise StopRequestedError

    before = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
