"""The suites, one row each: a new suite is one file in this folder and one row here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.suites.base import Bench, Findings


@dataclass(frozen=True)
class SuiteRow:
    """How a suite is run: `function` of the file `module` in this folder.

    `loaded` says whether it gets a loaded runner; `rank` orders the suites of a job, the smallest
    first.
    """

    module: str
    function: str
    loaded: bool
    rank: int

    @property
    def measure(self) -> Callable[[Bench], Findings]:
        """The suite's function; its file is imported when it is first asked for."""
        file = importlib.import_module(f"benchmarks.suites.{self.module}")
        function: Callable[[Bench], Findings] = getattr(file, self.function)
        return function


SUITE_ROWS: dict[str, SuiteRow] = {
    "memory": SuiteRow("memory", "memory_measure", loaded=False, rank=0),
    "cold_start": SuiteRow("cold_start", "cold_start_measure", loaded=False, rank=1),
    "recovery": SuiteRow("recovery", "recovery_measure", loaded=False, rank=1),
    "soak": SuiteRow("soak", "soak_measure", loaded=False, rank=1),
    "build": SuiteRow("build", "build_measure", loaded=False, rank=2),
    "accuracy": SuiteRow("accuracy", "accuracy_measure", loaded=True, rank=3),
    "evaluate": SuiteRow("evaluate", "evaluate_measure", loaded=True, rank=3),
    "latency": SuiteRow("latency", "latency_measure", loaded=True, rank=4),
    "throughput": SuiteRow("throughput", "throughput_measure", loaded=True, rank=4),
    "server": SuiteRow("server", "server_measure", loaded=True, rank=4),
    "energy": SuiteRow("energy", "energy_measure", loaded=True, rank=4),
    "concurrency": SuiteRow("concurrency", "concurrency_measure", loaded=False, rank=5),
    "mixed": SuiteRow("mixed", "mixed_measure", loaded=False, rank=5),
    "sweep": SuiteRow("sweep", "sweep_measure", loaded=False, rank=5),
    "generation": SuiteRow("generation", "generation_measure", loaded=False, rank=6),
    "scaling": SuiteRow("scaling", "scaling_measure", loaded=False, rank=7),
}
