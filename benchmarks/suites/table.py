"""The suites, one row each: a new suite is one file in this folder and one row here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.build import build_measure
from benchmarks.suites.latency import latency_measure
from benchmarks.suites.memory import memory_measure
from benchmarks.suites.throughput import throughput_measure


@dataclass(frozen=True)
class SuiteRow:
    """How a suite is run.

    `loaded` says whether it gets a loaded runner; `rank` orders the suites of a job, the smallest
    first: those that fork must come before anything has started threads.
    """

    measure: Callable[[Bench], Findings]
    loaded: bool
    rank: int


SUITE_ROWS: dict[str, SuiteRow] = {
    "memory": SuiteRow(memory_measure, loaded=False, rank=0),
    "build": SuiteRow(build_measure, loaded=False, rank=1),
    "latency": SuiteRow(latency_measure, loaded=True, rank=2),
    "throughput": SuiteRow(throughput_measure, loaded=True, rank=2),
}
