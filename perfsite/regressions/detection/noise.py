"""How much a series wobbles from build to build, from its own history.

Differences of neighbours are used, not distances from a mean: a step in the history is one large
difference among many and a quantile does not see it (von Neumann 1941, made robust).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# two outliers make four large differences: however short the history, the tail is read inside of them
_TRIMMED = 4


@dataclass(frozen=True)
class Prior:
    """What is believed before the series has a history: `noise` is relative, `freedom` its weight."""

    noise: float
    freedom: float


@dataclass(frozen=True)
class Noise:
    """The relative standard deviation of one point, how well it is known, and how much points hang together.

    `memory` is the factor by which the variance of a mean of neighbours exceeds that of independent
    points, (1 + r) / (1 - r) for a first-order autoregression with correlation r; at least 1.
    """

    sigma: float
    freedom: float
    memory: float = 1.0


def relative_differences(values: Values) -> Values:
    """Differences of neighbours over the mean of their sizes; shape (n,) -> (n - 1,), no unit.

    Two zeros differ by 0.  Dividing locally makes the noise of a slow past and a fast present alike.
    """
    size = (np.abs(values[1:]) + np.abs(values[:-1])) / 2.0
    return np.divide(np.diff(values), size, out=np.zeros(max(len(values) - 1, 0)), where=size > 0)


def noise_estimate(history: Values, level: Values, *, tail: float, prior: Prior) -> Noise:
    """The noise of a point that follows `history`, shape (n,), whose last part is `level`, shape (m,).

    The largest of three scales counts: the body of the differences, their `tail` quantile (heavy
    tails, several modes), and the spread about the level (wander that neighbours do not show).  It
    is pooled with the prior by degrees of freedom; a quantile of dependent differences is worth
    about half of them.
    """
    differences = np.abs(relative_differences(history))
    if not len(differences):
        return Noise(prior.noise, prior.freedom)
    inside = min(tail, 1.0 - _TRIMMED / len(differences))
    body, outer = (
        float(np.quantile(differences, q)) / (_normal_bound(q) * math.sqrt(2.0))
        for q in (0.5, max(0.5, inside))
    )
    about = _spread(level)
    freedom = len(differences) / 2.0
    total = prior.freedom + freedom
    pooled = (prior.freedom * prior.noise**2 + freedom * max(body, outer, about) ** 2) / total
    # differences of an autoregression have the variance 2 s^2 (1 - r), distances from the mean s^2
    ratio = (about / body) ** 2 if body else 1.0
    return Noise(math.sqrt(pooled), total, memory=max(1.0, 2.0 * ratio - 1.0))


def _spread(level: Values) -> float:
    """The relative standard deviation about the level's median; 0 for less than four points."""
    center = float(np.median(level))
    if len(level) < 4 or not center:
        return 0.0
    return float(np.median(np.abs(level / center - 1.0))) / _normal_bound(0.5)


def _normal_bound(probability: float) -> float:
    """What the size of a standard normal variable stays below with that probability."""
    return NormalDist().inv_cdf((1.0 + probability) / 2.0)
