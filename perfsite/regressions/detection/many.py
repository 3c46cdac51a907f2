"""Which of many online screens may tell anything: the first test of `OnlineScreen`, made for all at once.

The screen tries white noise first and most series end there.  Alone that costs a series a hundred small
array operations; together they are a few large ones.  A screen that is called quiet here tells nothing;
one that is not has to be asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from perfsite.regressions.detection.noise import Values
from perfsite.regressions.detection.online import PRIOR_NOISE, PRIOR_WEIGHT, REACH, OnlineScreen
from perfsite.regressions.detection.wobble import CLIPS, point_noise

_CLOSE = 1.0 - 1e-9  # sums in another order differ in their last bits


def screens_quiet(screens: Sequence[OnlineScreen]) -> list[bool]:
    """Whether `look` of each screen tells nothing, as far as white noise alone can say so."""
    quiet = [True] * len(screens)
    groups: dict[int, list[int]] = defaultdict(list)
    for place, screen in enumerate(screens):
        if screen.points > screen.persona.earliest:
            groups[len(screen._kept)].append(place)
    for places in groups.values():
        chosen = [screens[place] for place in places]
        scores = _white_scores(chosen)
        for place, screen, score in zip(places, chosen, scores.tolist(), strict=True):
            quiet[place] = score < screen.persona.score * _CLOSE
    return quiet


def _white_scores(screens: Sequence[OnlineScreen]) -> Values:
    """At least the size of each screen's best score in white noise; they keep equally many points.

    It is the ratio to the standard error; with finite degrees of freedom a normal score is less.
    """
    residuals = np.array([_residuals(screen) for screen in screens])
    points = np.array([screen.points for screen in screens], dtype=np.float64)
    earliest = np.array([screen.persona.earliest for screen in screens])
    return np.maximum.reduce([_ratios(np.clip(residuals, -clip, clip), points, earliest) for clip in CLIPS])


def _residuals(screen: OnlineScreen) -> Values:
    """The kept points about their own levels, in noise units."""
    residuals = screen._kept.copy()
    level = residuals[len(residuals) - screen.points :]
    level -= np.sort(level)[screen.points // 2]
    return residuals / point_noise(residuals, prior=PRIOR_NOISE, weight=PRIOR_WEIGHT)


def _ratios(clipped: Values, points: Values, earliest: np.ndarray) -> Values:
    """The largest ratio of a step to its standard error; shape (n, kept), (n,), (n,) -> (n,)."""
    count = clipped.shape[1]
    squares = np.square(np.diff(clipped, axis=1))
    single = np.maximum((squares.sum(axis=1) - squares.max(axis=1)) / (2.0 * (count - 2)), 0.25)
    sums = np.zeros((len(clipped), count + 1))
    np.cumsum(clipped, axis=1, out=sums[:, 1:])
    newer = np.arange(1, min(REACH, count - 1) + 1)
    newest = sums[:, -1:] - sums[:, count - newer]
    whole = sums[:, -1] - sums[np.arange(len(clipped)), count - points.astype(int)]
    older = points[:, None] - newer
    allowed = older >= earliest[:, None]
    older = np.where(allowed, older, 1.0)
    steps = newest / newer - (whole[:, None] - newest) / older
    ratios = np.square(steps) / (single[:, None] * (1.0 / newer + 1.0 / older))
    return np.sqrt(np.where(allowed, ratios, 0.0).max(axis=1))
