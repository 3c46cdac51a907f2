"""Python's garbage collector, kept out of what is timed."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collector_off() -> Iterator[None]:
    """No collection until the end.

    Importing torch and exporting make millions of objects that live on: walking them again and
    again cost a fifth of that time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def collector_settled() -> Iterator[None]:
    """Collect once, then leave what lives now out of later collections.

    A later collection walks only what is new: it takes no time before a measuring window.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Collect now and not again until the end: a collection is no latency of the model."""
    gc.collect()
    with collector_off():
        yield
