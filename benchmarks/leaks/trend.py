"""A trend that few outliers, bounded noise or a random walk cannot feign.  Pure: numpy only.

The slope is Theil's and Sen's: the median of the slopes of all pairs of points, with Gilbert's bounds
from the variance of Kendall's S (Sen 1968, JASA 63:1379; Gilbert 1987, Statistical Methods for
Environmental Pollution Monitoring, 16.5), that variance inflated for autocorrelated residuals (Hamed
and Rao 1998, J. Hydrology 204:182).  Beside it stands a sign test of the steps between neighbouring
points, which holds for a random walk as well, where the former does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

FEWEST_POINTS = 4
_SIGNIFICANT = 1.96  # of an autocorrelation, in units of 1 / sqrt(n)


@dataclass(frozen=True)
class Slope:
    """Change of y per unit of x with its bounds; a bound is None where too few points give one."""

    value: float
    low: float | None
    high: float | None


def slope_of(x: np.ndarray, y: np.ndarray, *, confidence: float = 0.95, independent: bool = False) -> Slope:
    """The Theil-Sen slope of `y` (n,) over the increasing `x` (n,), with two-sided bounds.

    `independent` says that neighbouring residuals are known to be unlike.

    Raises:
        ValueError: fewer than four points.
    """
    n = x.size
    if n < FEWEST_POINTS:
        raise ValueError(f"a slope with bounds needs at least {FEWEST_POINTS} points, not {n}")
    first, second = np.triu_indices(n, k=1)
    slopes = np.sort((y[second] - y[first]) / (x[second] - x[first]))
    value = float(np.median(slopes))
    inflation = 1.0 if independent else autocorrelation_inflation(y - value * x)
    variance = kendall_variance(y) * inflation
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance)
    below = math.floor((slopes.size - reach) / 2) - 1
    above = math.ceil((slopes.size + reach) / 2)
    return Slope(
        value=value,
        low=float(slopes[below]) if below >= 0 else None,
        high=float(slopes[above]) if above < slopes.size else None,
    )


def kendall_variance(y: np.ndarray) -> float:
    """The variance of Kendall's S of `y` (n,) without a trend, ties counted."""
    n = y.size
    ties = np.unique(y, return_counts=True)[1]
    tied = float(np.sum(ties * (ties - 1) * (2 * ties + 5)))
    return (n * (n - 1) * (2 * n + 5) - tied) / 18


def autocorrelation_inflation(residuals: np.ndarray) -> float:
    """How many times larger S's variance is because neighbouring residuals (n,) are alike; at least 1."""
    n = residuals.size
    ranks = np.argsort(np.argsort(residuals, kind="stable"), kind="stable") - (n - 1) / 2
    spread = float(ranks @ ranks)
    if n < FEWEST_POINTS or np.ptp(residuals) == 0:
        return 1.0
    total = 0.0
    for lag in range(1, n - 2):
        alike = float(ranks[lag:] @ ranks[:-lag]) / spread
        if abs(alike) > _SIGNIFICANT / math.sqrt(n):
            total += (n - lag) * (n - lag - 1) * (n - lag - 2) * alike
    return max(1.0, 1 + 2 / (n * (n - 1) * (n - 2)) * total)


def rises_needed(steps: int, alpha: float) -> int:
    """The fewest rises among `steps` fair coins that come with a probability of at most `alpha`.

    One more than `steps`, which cannot be reached, where even all of them are not enough.
    """
    tail, needed = 0.0, steps + 1
    while needed > 0:
        tail += math.comb(steps, needed - 1) / 2**steps
        if tail > alpha:
            break
        needed -= 1
    return needed
