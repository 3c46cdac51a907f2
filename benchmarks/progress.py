"""Where a job stands: stages timed one after the other, told to whoever listens."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.report import Stage

OnProgress = Callable[[str, float, str], None]


@dataclass
class Journal:
    """Calls `on_progress(stage, fraction, message)` as stages begin and keeps how long each took.

    `total` is the expected work in any unit; each stage says how much of it is its own.
    """

    on_progress: OnProgress
    total: float
    done: float = 0.0
    stages: list[Stage] = field(default_factory=list)

    @contextlib.contextmanager
    def stage(self, name: str, weight: float, message: str = "") -> Iterator[None]:
        """One step: told when it begins, timed when it ends, also by an exception."""
        self.on_progress(name, min(self.done / self.total, 1.0), message)
        started = time.perf_counter()
        try:
            yield
        finally:
            self.done += weight
            self.stages.append(Stage(name=name, seconds=time.perf_counter() - started))

    def finish(self) -> None:
        """Tell that everything is done."""
        self.on_progress("done", 1.0, "")
