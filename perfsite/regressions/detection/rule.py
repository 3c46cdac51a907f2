"""How the screen judges a timed metric: windows of newest points against the level before them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from perfsite.regressions.detection.noise import Noise, Prior, Values, noise_estimate
from perfsite.regressions.detection.student import normal_score

# standard deviations; a point farther out counts as this far when a change is placed
_CLIP = 5.0

Kind = Literal["regressed", "improved", "same", "unknown"]
Because = Literal[
    "exact", "beyond_noise", "within_noise", "too_small", "few_points", "unstable", "cleared", "no_history"
]


@dataclass(frozen=True)
class Parameters:
    """What the rule may be set to; kept with every verdict."""

    threshold: float = 3.2  # normal score a suspicion must reach
    interval: float = 1.96  # normal score of the interval's ends: 95 %
    windows: tuple[int, ...] = (1, 2, 3, 5, 8)  # how many newest points are held against the level
    level_points: int = 30  # a level is the median of at most that many points
    min_points: int = 4  # with fewer points before it a change is suspicious only if huge and lasting
    huge: float = 10.0  # in units of the relevant change
    lasting: int = 3  # points
    prior_freedom: float = 6.0  # how many observations the prior noise is worth
    prior_noise: float = 0.75  # in units of the relevant change


DEFAULTS = Parameters()


@dataclass(frozen=True)
class Split:
    """The newest points from `start` on against the level before them."""

    start: int
    before: float
    after: float
    relative: float
    error: float  # standard error of `relative`
    noise: Noise
    points: int
    score: float = 0.0  # `relative` in standard errors, as a normal score


@dataclass(frozen=True)
class Rule:
    """The steps of the screen for metrics that are timed, not counted."""

    better: str
    relevant: float
    grain: float
    parameters: Parameters

    def best_split(self, array: Values, level_start: int) -> Split:
        """The split with the largest score among those with enough points before or after the change.

        The newest point alone is tried where there is no such split.
        """
        newest = len(array) - 1
        least = max(level_start + 1, self.parameters.min_points)
        starts = [
            start
            for start in (len(array) - width for width in self.parameters.windows)
            if start > level_start and (start >= least or self.lasts(array, start))
        ]
        splits = [self.split(array, level_start, start) for start in starts or [newest]]
        return max(splits, key=lambda split: abs(split.score))

    def lasts(self, array: Values, start: int) -> bool:
        """Whether a level that began at `start` has lasted long enough to be no accident."""
        return len(array) - start >= self.parameters.lasting

    def split(self, array: Values, level_start: int, start: int) -> Split:
        """`array[start:]` against the level that ends before it."""
        level = array[max(level_start, start - self.parameters.level_points) : start]
        window = array[start:]
        before = float(np.median(level))
        after = _typical(window, before)
        tail = 0.9 if len(window) <= 2 else 0.75  # one spike cannot move the median of three
        prior = Prior(self.parameters.prior_noise * (self.relevant or 0.01), self.parameters.prior_freedom)
        noise = noise_estimate(array[:start], level, tail=tail, prior=prior)
        memory = min(noise.memory, float(len(window)))  # a window of k points is worth at least one
        error = noise.sigma * math.sqrt(window_variance(len(window)) * memory + window_variance(len(level)))
        relative = relative_change(before, after)
        score = normal_score(relative / error, noise.freedom) if error else 0.0
        return Split(start, before, after, relative, error, noise, len(level), score)

    def placed(self, array: Values, level_start: int, found: Split) -> Split:
        """`found` put where the new level most likely began, by least squares about the old level.

        Residuals are clipped, so that one extreme point does not claim the whole change for itself.
        The score stays that of `found`: it is what was held against the threshold.
        """
        scale = found.noise.sigma * abs(found.before)
        if not scale:
            return found
        first = max(level_start + 1, len(array) - max(self.parameters.windows))
        distance = np.clip((array[first:] - found.before) / scale, -_CLIP, _CLIP)
        sums = np.cumsum(distance[::-1])[::-1]  # over the newest points from each start on
        gains = np.sign(found.relative) * sums / np.sqrt(np.arange(len(sums), 0, -1))
        split = self.split(array, level_start, first + int(np.argmax(gains)))
        return replace(split, score=found.score) if split.relative * found.relative > 0 else found

    def is_relevant(self, split: Split) -> bool:
        """Whether the change exceeds both the relative and the absolute bound."""
        change = abs(split.after - split.before)
        return change > self.grain and change > self.relevant * abs(split.before)

    def judge(
        self, array: Values, split: Split, doubt: float, cleared: Sequence[int]
    ) -> tuple[Kind, Because]:
        """The verdict about `split`; `doubt` is the factor the newest point's noise is widened by."""
        limits = self.parameters
        beyond = abs(split.score) >= limits.threshold
        huge = abs(split.relative) > limits.huge * self.relevant > 0
        if split.start < limits.min_points and not (huge and beyond and self.lasts(array, split.start)):
            return "unknown", "few_points"
        if not self.is_relevant(split):
            return "same", "too_small"
        if not beyond:
            return "same", "within_noise"
        if abs(split.score) < limits.threshold * doubt:
            return "unknown", "unstable"
        if self.is_cleared(array, split, cleared):
            return "same", "cleared"
        worse = (split.after > split.before) == (self.better == "lower")
        return ("regressed" if worse else "improved"), "beyond_noise"

    def is_cleared(self, array: Values, split: Split, cleared: Sequence[int]) -> bool:
        """Whether comparisons showed twice that such a value is no change of the code."""
        alike = array[[index for index in cleared if 0 <= index < split.start]]
        if len(alike) < 2:
            return False
        near = np.abs(alike - split.after) <= max(2.0 * split.noise.sigma * abs(split.before), self.grain)
        return int(near.sum()) >= 2


def _typical(window: Values, before: float) -> float:
    """Of two points the one nearer to `before` (both must have moved), else its median."""
    if len(window) == 2:
        return float(window[np.argmin(np.abs(window - before))])
    return float(np.median(window))


def window_variance(points: int) -> float:
    """The variance of the median of that many points in units of one point's (normal, large-sample)."""
    return 1.0 / points if points <= 2 else math.pi / 2.0 / points


def relative_change(before: float, after: float) -> float:
    """after / before - 1; from zero, the change over the larger size, that is 1 or -1."""
    size = abs(before) or abs(after)
    return (after - before) / size if size else 0.0
