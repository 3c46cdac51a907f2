"""Whether a level scatters more than it did, while it stayed where it is: a remark, never a regression.

The distances of the level's points from their median are ranked, and the newest ones held against the older
by the sum of their ranks (Wilcoxon 1945; as a test of scale Siegel and Tukey 1960), so neither an outlier nor
heavy tails count for more than their rank.  The split that stands out most is told when the growth is large,
when both halves of the newer points show it, and when the median has not moved: that would be a change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perfsite.regressions.detection.noise import Values

MEMORY = 120  # newest points of the level that count
OLD, NEW = 24, 12  # points that each side needs
SCORE = 4.5  # normal score of the largest of many splits, chosen on tuning seeds
FACTOR = 2.0  # smaller growth is not worth a remark
HALF = 1.5  # what each half of the newer points must show
_MAD = 1.4826  # of a normal's standard deviation
_MEAN = math.sqrt(math.pi / 2.0)


@dataclass(frozen=True)
class Spread:
    """The scatter grew at the point `start`.

    `before` and `after` are standard deviations relative to the level, `score` is the normal score of the
    rank sum.
    """

    start: int
    before: float
    after: float
    score: float

    @property
    def factor(self) -> float:
        """By which factor it grew."""
        return self.after / self.before


def spread_grown(level: Sequence[float]) -> Spread | None:
    """Where the scatter of a level's values, shape (n,), in branch order, grew for good; None where nowhere.

    Raises:
        ValueError: a value that is not finite.
    """
    values = np.asarray(level, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a level is made of finite numbers; leave out builds without a value")
    first = max(len(values) - MEMORY, 0)
    values = values[first:]
    if len(values) < OLD + NEW:
        return None
    middle = float(np.median(values))
    start, score = _split_best(np.abs(values - middle))
    old, newer = values[:start], values[start:]
    size = abs(middle) or float(np.abs(values).max()) or 1.0
    before, after = _deviation(old) / size, _deviation(newer) / size
    if score < SCORE or not before or after < FACTOR * before:
        return None
    halves = np.array_split(newer - np.median(newer), 2)
    if min(_deviation(half, about=0.0) for half in halves) < HALF * before * size:
        return None
    unsure = 2.0 * _MEAN * after / math.sqrt(len(newer))  # two standard errors of the newer median
    if abs(float(np.median(newer) - np.median(old))) > max(before, unsure) * size:
        return None
    return Spread(first + start, before, after, score)


def _split_best(distances: Values) -> tuple[int, float]:
    """The first of the newer points, and the normal score of their ranks, where that is largest."""
    count = len(distances)
    unique, places, times = np.unique(distances, return_inverse=True, return_counts=True)
    ranks = (times.cumsum() - (times - 1) / 2.0)[places]
    starts = np.arange(OLD, count - NEW + 1)
    newer = count - starts
    sums = ranks[::-1].cumsum()[newer - 1]
    ties = float((times**3 - times).sum()) / (count * (count - 1.0)) if len(unique) < count else 0.0
    variances = starts * newer / 12.0 * (count + 1.0 - ties)
    scores = (sums - newer * (count + 1.0) / 2.0) / np.sqrt(np.maximum(variances, 1e-9))
    best = int(scores.argmax())
    return int(starts[best]), float(scores[best])


def _deviation(values: Values, about: float | None = None) -> float:
    """A standard deviation that outliers hardly move; another one where the median distance is 0."""
    distances = np.abs(values - (np.median(values) if about is None else about))
    return _MAD * float(np.median(distances)) or _MEAN * float(distances.mean())
