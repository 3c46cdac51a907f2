"""Intervals of what one run of a queue tells, where each request's wait depends on the one before."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from benchmarks.stats import Interval

BLOCKS = 20
_RESAMPLES = 300
_SEED = 0


def blocks_interval(samples: np.ndarray, statistic: Callable[[np.ndarray], float]) -> Interval:
    """`statistic` of `samples` (n,) in time's order, bounded by resampling 20 consecutive blocks.

    Neighbours in a queue wait together: bounds for independent samples would be too narrow (block
    bootstrap; Künsch 1989, Annals of Statistics 17).  None where a block would hold fewer than two.
    """
    value = float(statistic(samples))
    if samples.size < 2 * BLOCKS:
        return Interval(value, None, None)
    blocks = np.array_split(samples, BLOCKS)
    generator = np.random.default_rng(_SEED)
    found = [
        statistic(np.concatenate([blocks[pick] for pick in generator.integers(BLOCKS, size=BLOCKS)]))
        for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(found, (0.025, 0.975))
    return Interval(value, min(float(low), value), max(float(high), value))


def step_down(value: float) -> float:
    """The largest of ... 1, 2, 5, 10, 20, 50 ... that is not above `value`."""
    decade = 10.0 ** math.floor(math.log10(value))
    return float(f"{max(step * decade for step in (1, 2, 5) if step * decade <= value * (1 + 1e-9)):.12g}")


def step_up(value: float) -> float:
    """The smallest of ... 1, 2, 5, 10, 20, 50 ... that is not below `value`."""
    decade = 10.0 ** math.floor(math.log10(value))
    steps = (step * decade for step in (1, 2, 5, 10) if step * decade >= value * (1 - 1e-9))
    return float(f"{min(steps):.12g}")
