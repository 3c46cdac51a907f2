"""Percentiles with intervals that assume nothing about the samples' distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_Z95 = 1.959963984540054
MOST_SAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % bounds, in the samples' unit; None where too few samples bound it."""

    value: float
    low: float | None
    high: float | None


def percentile(samples: np.ndarray, level: float) -> Interval:
    """The `level` quantile of `samples` (n,), 0 < level < 1, with an order-statistic interval.

    The ranks n*p -+ z sqrt(n p (1-p)) bound the quantile whatever the distribution (David and
    Nagaraja 2003, Order Statistics, 7.1); a bound whose rank falls outside the samples is None.
    """
    ordered = np.sort(samples)
    n = ordered.size
    spread = _Z95 * math.sqrt(n * level * (1 - level))
    below = math.floor(n * level - spread) - 1
    above = math.ceil(n * level + spread)
    return Interval(
        value=float(np.quantile(ordered, level)),
        low=float(ordered[below]) if below >= 0 else None,
        high=float(ordered[above]) if above < n else None,
    )


def median_bootstrap(samples: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> Interval:
    """The median of few samples (n,) with its percentile-bootstrap interval (Efron 1979)."""
    if samples.size < 3:
        return Interval(float(np.median(samples)), None, None)
    generator = np.random.default_rng(seed)
    picks = generator.integers(samples.size, size=(resamples, samples.size))
    medians = np.median(samples[picks], axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    return Interval(float(np.median(samples)), float(low), float(high))


def variation(samples: np.ndarray) -> float:
    """Coefficient of variation: sample standard deviation over mean; 0 for fewer than two."""
    return float(samples.std(ddof=1) / samples.mean()) if samples.size > 1 else 0.0


def thinned(samples: np.ndarray, most: int = MOST_SAMPLES) -> tuple[float, ...]:
    """At most `most` of the samples (n,), evenly spaced in time, the first and last kept."""
    if samples.size > most:
        samples = samples[np.linspace(0, samples.size - 1, most).round().astype(int)]
    return tuple(float(value) for value in samples)
