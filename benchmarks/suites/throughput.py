"""Suite `throughput`: offline, as many samples as fit in the time."""

from __future__ import annotations

import numpy as np

from benchmarks.stability import timing_remarks
from benchmarks.stats import median_bootstrap
from benchmarks.suites.base import Bench, Findings, runner_of
from benchmarks.timing import Timing, latency_time

BLOCKS = 100  # short ones, so that most hold no switch to another process


def throughput_measure(bench: Bench) -> Findings:
    """Samples per second at the case's batch: the median over equal blocks of the window."""
    timing = latency_time(runner_of(bench).infer, bench.case.duration_s, bench.assets.threads)
    rates = block_rates(timing, bench.case.batch)
    findings = Findings(bench.case)
    findings.add("throughput", median_bootstrap(rates), rates)
    findings.add("cpu_utilisation", timing.own_share)
    timing_remarks(findings, timing)
    return findings


def block_rates(timing: Timing, batch: int) -> np.ndarray:
    """Samples per second of up to 100 blocks of as many calls each, in time's order: (blocks,)."""
    blocks = np.array_split(timing.samples, min(BLOCKS, timing.samples.size))
    return np.asarray([block.size * batch / block.sum() for block in blocks])
