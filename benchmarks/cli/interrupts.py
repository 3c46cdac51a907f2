"""Ctrl-C while one of several jobs runs in a process of its own: a soak among them still reports."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interrupts:
    """How often Ctrl-C was pressed, and what of it the running job has been told."""

    asked: int = 0
    _told: int = 0

    def ask(self, _number: int, _frame: FrameType | None) -> None:
        """Handle SIGINT: the first ones are the job's to heed, a third one ends everything."""
        self.asked += 1
        if self.asked > 2:
            raise KeyboardInterrupt

    def pass_on(self, job: int) -> None:
        """Tell the process `job` by SIGTERM: a soak ends with its report, else it ends at once."""
        if self._told < self.asked:
            self._told = self.asked
            with contextlib.suppress(ProcessLookupError):
                os.kill(job, signal.SIGTERM)


@contextlib.contextmanager
def interrupts_kept() -> Iterator[Interrupts]:
    """Count Ctrl-C instead of raising."""
    interrupts = Interrupts()
    before = signal.signal(signal.SIGINT, interrupts.ask)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
