"""Suite `memory`: the peak above what was there before the model was loaded.

Each case is measured in a process of its own that has the libraries and nothing else: what an
earlier case left in the allocator would be taken for free memory and hide the model's own.
"""

from __future__ import annotations

from typing import Literal

from benchmarks.isolation import isolated
from benchmarks.memory import (
    allocator_fix,
    library_bytes,
    memory_trim,
    peak_bytes,
    peak_reset,
    resident_bytes,
)
from benchmarks.runners.base import Assets
from benchmarks.runners.table import runner_open
from benchmarks.suites.base import Bench, Findings

INFERENCES = 5


def memory_measure(bench: Bench) -> Findings:
    """Peak host memory of loading the model and running a few inferences, in bytes."""
    method: Literal["fork", "spawn"] = "fork" if bench.forkable else "spawn"
    peak = isolated(peak_measure, bench.case.runner, bench.assets, bench.case.batch, method=method)
    findings = Findings(bench.case)
    findings.add("host_peak_memory", peak)
    return findings


def peak_measure(runner_name: str, assets: Assets, batch: int) -> int:
    """Bytes that this process held at most above its size before the load, libraries' code left out.

    Loading and running are two windows, so that code which running brings in is not taken off a
    peak that loading had.
    """
    runner = runner_open(runner_name, assets)  # imports the library: no memory of the model's
    library_bytes()  # once unmeasured: reading has small costs of its own, paid the first time
    allocator_fix()
    memory_trim()
    peak_reset()
    before = resident_bytes() - library_bytes()
    with runner:
        loading = peak_bytes() - library_bytes()
        peak_reset()
        runner.bind(batch)
        for _ in range(INFERENCES):
            runner.infer()
        running = peak_bytes() - library_bytes()
    return max(loading, running) - before
