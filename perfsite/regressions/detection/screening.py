"""The screen: is the newest point of a series suspicious?

It may be wrong cheaply: a suspicion only orders a comparison, so it is told to nobody.  The newest
1, 2, ... points are held against the level before them; the split that stands out most says where
the new level would have begun.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from perfsite.regressions.detection.noise import Noise, Values
from perfsite.regressions.detection.rule import (
    DEFAULTS,
    Because,
    Kind,
    Parameters,
    Rule,
    Split,
    relative_change,
    window_variance,
)
from perfsite.regressions.detection.student import student_quantile, two_sided_p

DETECTOR = "screen/1"


@dataclass(frozen=True)
class Screening:
    """The screen's answer about the newest point.

    `start` is the index of the first point of the suspected level; `before` and `after` are in the
    metric's unit; `relative` is after / before - 1 with its 95 % interval; `noise` is the relative
    standard deviation of a point; `score` is the change in standard errors as a normal score and
    `p_value` its two-sided tail; `points` counts the level's points behind `before`.
    """

    kind: Kind
    because: Because
    start: int
    before: float
    after: float
    relative: float
    relative_low: float
    relative_high: float
    noise: float
    score: float
    p_value: float
    points: int
    detector: str = DETECTOR
    parameters: dict[str, object] = field(default_factory=dict)

    @property
    def is_suspicious(self) -> bool:
        """Whether the change needs a comparison, or, for an exact metric, is one."""
        return self.kind in ("regressed", "improved")


def screen(
    values: ArrayLike,
    *,
    better: Literal["lower", "higher"],
    relevant: float,
    grain: float,
    exact: bool = False,
    level_start: int = 0,
    samples: Sequence[ArrayLike] | None = None,
    unstable: Sequence[bool] | None = None,
    cleared: Sequence[int] = (),
    parameters: Parameters = DEFAULTS,
) -> Screening:
    """Judge the newest of `values`, shape (n,), in branch order, in the metric's unit.

    `relevant` (relative) and `grain` (in the unit) are the smallest change worth telling; a change
    must exceed both.  `exact` metrics are counted: any such change is certain.  `level_start` is
    the index where the present level began.  `unstable`, one flag per point, marks those that a
    foreign process or the hardware disturbed: they are left out, and a newest one is `unknown`,
    unless most are marked.  `samples`, one array per point, widen the doubt about the newest.
    `cleared` holds the indices of points that a comparison found to be no change: a newest point
    like two of them is none either.

    Raises:
        ValueError: there is no point, or `level_start` lies behind the newest.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"a series is a list of numbers with at least one; got shape {array.shape}")
    if not 0 <= level_start < len(array):
        raise ValueError(f"level_start {level_start} is not one of the {len(array)} points")
    facts = {"relevant": relevant, "grain": grain, "better": better, **asdict(parameters)}
    if len(array) == 1 or level_start == len(array) - 1:
        return _answer("unknown", "no_history", _no_split(array), parameters, facts)
    if exact:
        return _screen_exact(array, better, relevant, grain, parameters, facts)
    rule = Rule(better, relevant, grain, parameters)
    kept = _kept(len(array), unstable)
    if kept[-1] != len(array) - 1:
        newest = rule.split(array, level_start, len(array) - 1)
        return _answer("unknown", "unstable", newest, parameters, facts)
    stable = array[kept]
    level = int(np.searchsorted(kept, level_start))
    if level == len(stable) - 1:
        return _answer("unknown", "no_history", _no_split(array), parameters, facts)
    best = rule.best_split(stable, level)
    alike = np.flatnonzero(np.isin(kept, list(cleared))).tolist()
    kind, because = rule.judge(stable, best, _doubt(stable, samples, best), alike)
    if because == "beyond_noise":
        best = rule.placed(stable, level, best)
    return _answer(kind, because, replace(best, start=int(kept[best.start])), parameters, facts)


def _kept(count: int, unstable: Sequence[bool] | None) -> np.ndarray:
    """The indices of the points that count: the stable ones, or all where most are unstable."""
    marked = np.zeros(count, dtype=bool) if unstable is None else np.asarray(unstable, dtype=bool)
    return np.arange(count) if marked[:-1].mean() >= 0.5 else np.flatnonzero(~marked)


def _screen_exact(
    array: Values,
    better: str,
    relevant: float,
    grain: float,
    parameters: Parameters,
    facts: dict[str, object],
) -> Screening:
    """A counted metric against the point before: any change beyond the grain is certain."""
    before, after = float(array[-2]), float(array[-1])
    split = Split(
        len(array) - 1,
        before,
        after,
        relative_change(before, after),
        0.0,
        Noise(0.0, math.inf),
        len(array) - 1,
    )
    change = abs(after - before)
    if change <= max(grain, relevant * abs(before)):
        return _answer("same", "exact", split, parameters, facts)
    worse = (after > before) == (better == "lower")
    return _answer("regressed" if worse else "improved", "exact", split, parameters, facts)


def _answer(
    kind: Kind, because: Because, split: Split, parameters: Parameters, facts: dict[str, object]
) -> Screening:
    half = student_quantile(parameters.interval, split.noise.freedom) * split.error if split.error else 0.0
    return Screening(
        kind=kind,
        because=because,
        start=split.start,
        before=split.before,
        after=split.after,
        relative=split.relative,
        relative_low=split.relative - half,
        relative_high=split.relative + half,
        noise=split.noise.sigma,
        score=split.score,
        p_value=0.0 if because == "exact" and kind != "same" else two_sided_p(split.score),
        points=split.points,
        parameters=facts,
    )


def _no_split(array: Values) -> Split:
    newest = float(array[-1])
    return Split(len(array) - 1, newest, newest, 0.0, 0.0, Noise(0.0, 1.0), 0)


def _doubt(array: Values, samples: Sequence[ArrayLike] | None, split: Split) -> float:
    """How much wider the noise of the newest point is than its history's; at least 1."""
    if samples is None or not array[-1] or not split.noise.sigma:
        return 1.0
    inside = np.asarray(samples[-1], dtype=np.float64)
    spread = float(np.median(np.abs(inside - np.median(inside)))) * 1.4826 / abs(float(array[-1]))
    return max(1.0, math.sqrt(window_variance(len(inside))) * spread / split.noise.sigma)
