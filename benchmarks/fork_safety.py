"""Whether this process may still be forked, told from its native threads over its whole life.

OpenMP's threads do not survive a fork: a child that needs them waits for ever.  Threads that imports
start (OpenBLAS's, which know forks) are harmless, those that a model's run starts are not, and a
later job of the same process must not take an earlier job's for harmless.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.device import cuda_started
from benchmarks.isolation import native_thread_count


class ForkSafety:
    """Counts the threads that imports started; any beyond them forbid a fork, for good."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Nothing is known yet: a new process, or one that was just forked and has one thread."""
        self._harmless: int | None = None
        self._spoiled = False

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Around imports, and the loading of a module, which imports too: what starts here is harmless."""
        self._spoiled |= self._harmless is not None and native_thread_count() > self._harmless
        yield
        if not self._spoiled:
            self._harmless = native_thread_count()

    @property
    def safe(self) -> bool:
        """Whether neither CUDA nor a native thread was started beside the imports."""
        if self._spoiled or cuda_started():
            return False
        return self._harmless is None or native_thread_count() <= self._harmless


FORK_SAFETY = ForkSafety()
os.register_at_fork(after_in_child=FORK_SAFETY.begin)
