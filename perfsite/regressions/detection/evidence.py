"""The evidence for the best split of the newest level, held against the wobble that is left without it.

A step is taken out before noise and wobble are measured (the alternative of a likelihood-ratio test is
fitted, not only its null), so a large step neither hides itself nor its neighbours.  It is placed by
least squares with room for its own size; spikes stay clipped.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from perfsite.regressions.detection.contrast import (
    WHITE,
    Contrast,
    contrast_at,
    contrast_best,
    contrast_start,
    local_excess,
)
from perfsite.regressions.detection.noise import Values
from perfsite.regressions.detection.student import normal_score
from perfsite.regressions.detection.wobble import CLIPS, LONGEST, mean_variance, wobble_curve

FREEDOM = 8.0  # degrees of freedom a scale has before any history, from the prior
WANDER = 0.04  # variance of a level that strays unseen, in that of a point: a prior, added to every mean's
TURNS = 2  # times a split is placed; the last time against what is left without it


def split_best(residuals: Values, points: int, *, least: float, reach: int, earliest: int) -> Contrast | None:
    """The split with the largest score among those of the last `points` of `residuals`, in noise units.

    None where none reaches the score `least` even in white noise.  A split lies among the newest `reach`
    points, with `earliest` points before it.
    """
    bounds = {"reach": reach, "earliest": earliest}
    splits = [_clipped_best(residuals, points, clip, least, **bounds) for clip in CLIPS]
    return max((s for s in splits if s is not None), key=lambda split: abs(split.score), default=None)


def levels(level: Values, start: int) -> tuple[float, float]:
    """The medians before and from `start`."""
    old, new = np.sort(level[max(start - LONGEST // 2, 0) : start]), np.sort(level[start:])
    return float(old[len(old) // 2]), float(new[len(new) // 2])


def _roomy(level: Values, before: float, after: float) -> Values:
    """The level about the middle of a step, clipped with room for the step itself."""
    room = abs(after - before) / 2.0 + CLIPS[1]
    return np.minimum(np.maximum(level - (before + after) / 2.0, -room), room)


def _clipped_best(
    residuals: Values, points: int, clip: float, least: float, **bounds: int
) -> Contrast | None:
    clipped = np.minimum(np.maximum(residuals, -clip), clip)
    squares = np.square(clipped[1:] - clipped[:-1])
    # without the largest, which may be the step
    single = max(float(squares.sum() - squares.max()) / (2.0 * (len(squares) - 1)), 0.25)
    start, ratio = contrast_start(clipped[len(clipped) - points :], single, **bounds)
    if normal_score(ratio, FREEDOM + len(clipped)) < least:
        return None
    level = residuals[len(residuals) - points :]
    for _ in range(TURNS - 1):
        start, _ = contrast_start(_roomy(level, *levels(level, start)), 1.0, **bounds)
    return _judged(residuals, points, start, clip, **bounds)


def _judged(residuals: Values, points: int, start: int, clip: float, **bounds: int) -> Contrast:
    """The split near `start`, placed anew; its score against what is left of all points without the step."""
    level = residuals[len(residuals) - points :]
    before, after = levels(level, start)
    left = residuals.copy()
    left[len(left) - points : len(left) - points + start] -= before
    left[len(left) - points + start :] -= after
    left = np.minimum(np.maximum(left, -clip), clip)
    curve = wobble_curve(left)
    variances = mean_variance(curve)
    freedom = FREEDOM + len(left)
    placed = contrast_best(_roomy(level, before, after), WHITE, freedom=freedom, **bounds)
    if placed is None:
        raise ValueError(f"a level of {points} points has no split within {bounds}")
    age = points - placed.start
    # an outlier is one for a wobbling mean of that length, not for a point
    wide = clip * math.sqrt(variances[age - 1] * age / curve[0])
    clipped = np.minimum(np.maximum(level - before, -wide), wide)
    score = contrast_at(clipped, placed.start, variances + WANDER * curve[0], freedom)
    excess = local_excess(left[len(left) - points :], placed.start, float(curve[0]))
    score /= math.sqrt(excess)
    doubt = min(1.0, (score / placed.score) ** 2) if placed.score else 1.0
    return replace(placed, score=score, weights=placed.weights**doubt)
