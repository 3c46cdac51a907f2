"""The core statistic: the newest points against the level before them, for every place of a change.

It is the generalised likelihood ratio of one step in the mean (Willsky and Jones 1976; Siegmund and
Venkatraman 1995), with clipped values (Huber 1964; Fearnhead and Rigaill 2019, "Changepoint detection
in the presence of outliers") and with the variance that the series itself shows for such means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from perfsite.regressions.detection.noise import Values
from perfsite.regressions.detection.student import normal_score
from perfsite.regressions.detection.wobble import LONGEST

PLACE = 2  # builds a change may be misplaced by and still be useful
WHITE: Values = 1.0 / np.arange(1, LONGEST + 1)  # variances of means of independent points
_COUNTS: Values = np.arange(LONGEST + 1, dtype=np.float64)
LOCAL = 20  # points on each side of the change whose own spread counts
TRUST = 3.0  # points the history's spread is worth against the local one


@dataclass(frozen=True)
class Contrast:
    """The split that stands out most.

    `start` counts from the first point given; `score` is the normal score, signed; `sure` is the
    share of the posterior (flat prior on the place) within `PLACE` builds of `start`; `first` and
    `last` bound 90 % of it.  `weights` are the posterior of every start from `earliest` on, shape (n,),
    the best one's being 1.
    """

    start: int
    score: float
    sure: float
    first: int
    last: int
    earliest: int = 0
    weights: Values = field(default_factory=lambda: np.ones(1), compare=False, repr=False)


def contrast_best(
    clipped: Values, variances: Values, *, freedom: float, reach: int, earliest: int
) -> Contrast | None:
    """The best split of one level's `clipped` values, shape (n,), into old ones and the newest.

    `variances` is that of the mean of 1, 2, ... points; the old level is read from as many points as
    make it known best.  None with fewer than `earliest` + 1 points.
    """
    first = max(len(clipped) - reach, earliest)
    return None if first >= len(clipped) else _placed(_ratios(clipped, variances, first), freedom, first)


def contrast_start(clipped: Values, single: float, *, reach: int, earliest: int) -> tuple[int, float]:
    """Where the best split of `contrast_best` is in white noise of that variance, and its ratio's size.

    The ratio is that of the step to its standard error; the normal score is smaller.  A ratio of 0 with fewer
    than `earliest` + 1 points.
    """
    first = max(len(clipped) - reach, earliest)
    if first >= len(clipped):
        return first, 0.0
    ratios = np.abs(_ratios(clipped, WHITE, first))
    best = int(ratios.argmax())
    return first + best, float(ratios[best]) / math.sqrt(single)


def _ratios(clipped: Values, variances: Values, first: int) -> Values:
    """Steps over their standard errors, for each start from `first` on."""
    count = len(clipped)
    sums = clipped.cumsum()
    old = sums[first - 1 : count - 1]
    newer = _COUNTS[count - first : 0 : -1]
    step = (sums[-1] - old) / newer
    longest = int(variances.argmin()) + 1 if variances is not WHITE else LONGEST
    new_variances = variances[count - first - 1 :: -1]
    if count - 1 <= longest:
        older = _COUNTS[first:count]
        return (step - old / older) / np.sqrt(new_variances + variances[first - 1 : count - 1])
    older_points = np.minimum(np.arange(first, count), longest)
    left = np.arange(first, count) - older_points
    before = old - np.where(left > 0, sums[left - 1], 0.0)
    return (step - before / older_points) / np.sqrt(new_variances + variances[older_points - 1])


def contrast_at(clipped: Values, start: int, variances: Values, freedom: float) -> float:
    """The normal score of the split at `start`, as `contrast_best` scores it."""
    newer, older = len(clipped) - start, min(start, int(variances.argmin()) + 1)
    step = float(clipped[start:].mean() - clipped[start - older : start].mean())
    return normal_score(step / math.sqrt(variances[newer - 1] + variances[older - 1]), freedom)


def _placed(ratios: Values, freedom: float, first: int) -> Contrast:
    squares = ratios * ratios
    best = int(squares.argmax())
    if not squares[best]:
        return Contrast(first, 0.0, 0.0, first, first + len(ratios) - 1, first, np.ones(len(ratios)))
    score = normal_score(float(ratios[best]), freedom)
    same_side = ratios * score > 0
    weights = np.where(
        same_side, np.exp((squares - squares[best]) * (0.5 * score * score / squares[best])), 0.0
    )
    shares = weights.cumsum()
    total = float(shares[-1])
    low = float(shares[best - PLACE - 1]) if best > PLACE else 0.0
    sure = (float(shares[min(best + PLACE, len(shares) - 1)]) - low) / total
    bounds = np.searchsorted(shares, (0.05 * total, 0.95 * total))
    low_end, high_end = first + int(bounds[0]), first + int(bounds[1])
    return Contrast(first + best, score, sure, low_end, high_end, first, weights)


def local_excess(clipped: Values, start: int, single: float) -> float:
    """By which factor the points about a split spread more than the history; at least 1 (bursts)."""
    left = max(start - LOCAL, 0)
    older, newer = clipped[left:start], clipped[start : start + LOCAL]
    squares = float(older @ older) - float(older.sum()) ** 2 / len(older)
    squares += float(newer @ newer) - float(newer.sum()) ** 2 / len(newer)
    freedom = len(older) + len(newer) - 2
    return max(1.0, (TRUST * single + squares) / (TRUST + freedom) / single)
