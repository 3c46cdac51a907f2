"""Doubts about a measurement, each a sentence with its remedy."""

from __future__ import annotations

import numpy as np

from benchmarks.suites.base import Findings
from benchmarks.timing import FEWEST_SAMPLES, Timing

TAIL_RATIO = 2.0
FEW_SAMPLES = 5 * FEWEST_SAMPLES
OWN_SHARE = 0.9


def timing_remarks(findings: Findings, timing: Timing) -> None:
    """What makes this window's samples doubtful."""
    n = timing.samples.size
    if n < FEW_SAMPLES:
        findings.remark(
            "few-samples",
            f"only {n} samples: the tail percentiles are little more than the slowest ones; "
            f"measure at least {FEW_SAMPLES} by a longer duration",
        )
    p50, p99 = np.quantile(timing.samples, (0.5, 0.99))
    if p99 > TAIL_RATIO * p50:
        findings.remark(
            "long-tail",
            f"p99 is {p99 / p50:.1f} times p50: something else ran on these cores at times; "
            "stop other work on the machine, or pin the worker to cores of its own",
        )
    if not timing.stable:
        findings.remark(
            "warm-up",
            "two blocks of the warm-up never agreed within 2 %: the first samples may still be slow; "
            "measure longer, or look for other work on the machine",
        )
