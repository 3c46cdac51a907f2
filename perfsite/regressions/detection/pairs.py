"""What pairs of runs say about where a level moved, together with the series itself.

The hypotheses are "nothing moved" and "the level moved by this step at this build", over a few steps
and all builds in question.  A pair of builds on both sides of the place should show the step, one on
the same side nothing; so pairs of different builds, asked at different times, all count, and the same
numbers tell whether and where.

The evidence is a Bayes factor against "nothing moved" (a mixture of likelihood ratios, predictable in
the pairs; Ville 1939, Robbins 1970).  The model: Student's t with `FREEDOM` degrees, its scale a mixture
about the one the series shows, from a quarter to eight times.  Held against the scale that explains "nothing
moved" best instead of their mixture it is smaller and an e-value whichever of them is true (a split-free
universal inference; Wasserman, Ramdas, Balakrishnan 2020): then it ever reaches 1/alpha with probability at
most alpha, however often one looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perfsite.regressions.detection.noise import Values

FREEDOM = 5.0  # of one pair's effect: a spike among pairs is no proof
_SCALES = np.array([0.25, 0.5, 1.0, 2.0, 4.0, 8.0])
_SCALE_LOGS = np.log(np.array([0.04, 0.13, 0.33, 0.27, 0.15, 0.08]))
_HALVINGS = 20  # a bound is then known to a millionth of the first guess
_QUANTILES = np.array([-1.5, -0.75, 0.0, 0.75, 1.5])  # standard errors about the estimated step


@dataclass(frozen=True)
class Pair:
    """One pair: `effect` is b against a in the buffer's unit.

    A pair about a level that is over has its step taken out and tells only the scale: `a` and `b` are -1.
    """

    a: int
    b: int
    effect: float

    def forgotten(self, start: int, step: float) -> Pair:
        """The pair after a change by `step` at `start` was told."""
        return Pair(-1, -1, self.effect - step * (self.a < start <= self.b))


@dataclass(frozen=True)
class Question:
    """What the series says: the starts from `first` on, `weights` their posterior, shape (n,).

    `step` is the estimate and `error` its standard error, `noise` the standard deviation of one build, all
    in the buffer's unit.
    """

    first: int
    weights: Values
    step: float
    error: float
    noise: float

    @property
    def best(self) -> int:
        """The start that the series itself finds likeliest."""
        return self.first + int(self.weights.argmax())

    def steps(self) -> tuple[Values, Values]:
        """The steps in question, those of the suspected direction, and their logarithmic prior."""
        steps = self.step + self.error * _QUANTILES
        logs = -0.5 * np.square(_QUANTILES)
        same = steps * self.step > 0
        return steps[same], logs[same] - _log_sum(logs[same])


@dataclass(frozen=True)
class Answer:
    """`evidence` against "nothing moved" and its `bound`, both logarithms; `shares` each start's posterior.

    `evidence` weighs the scales by their prior, so it is what the odds grow by.  `bound` takes the scale
    under which "nothing moved" explains the pairs best, so it is an e-value at each one, not on average.
    """

    first: int
    evidence: float
    bound: float
    shares: Values

    @property
    def best(self) -> int:
        """The likeliest first build of the new level."""
        return self.first + int(self.shares.argmax())

    def within(self, reach: int) -> float:
        """The share of the posterior within `reach` builds of the best."""
        best = int(self.shares.argmax())
        return float(self.shares[max(best - reach, 0) : best + reach + 1].sum())

    def at(self, share: float) -> int:
        """The start below which that share of the posterior lies."""
        place = int(np.searchsorted(self.shares.cumsum(), share))
        return self.first + min(place, len(self.shares) - 1)


def pairs_weigh(question: Question, pairs: Sequence[Pair]) -> Answer:
    """Hold the pairs against the question."""
    prior = np.log(np.maximum(question.weights, 1e-300))
    prior -= _log_sum(prior)
    if not pairs:
        return Answer(question.first, 0.0, 0.0, np.exp(prior))
    a, b, effects = (np.array(column) for column in zip(*((p.a, p.b, p.effect) for p in pairs), strict=True))
    starts = question.first + np.arange(len(prior))[:, None]
    across = ((a < starts) & (starts <= b)).astype(float)  # starts x pairs
    steps, step_logs = question.steps()
    scales = (_SCALES * question.noise * math.sqrt(2.0))[:, None]
    still = _student(effects / scales)  # scales x pairs
    moved = _student((effects - steps[:, None]) / scales[:, :, None])  # scales x steps x pairs
    nothing = still.sum(axis=1) + _SCALE_LOGS - len(pairs) * np.log(scales[:, 0])
    gains = np.moveaxis((moved - still[:, None]) @ across.T, 2, 0)  # starts x scales x steps
    joint = (gains + nothing[:, None] + step_logs).reshape(len(prior), -1)
    posterior = prior + _log_sum(joint, axis=1) - _log_sum(nothing)
    evidence = float(_log_sum(posterior))
    bound = evidence + float(_log_sum(nothing) - (nothing - _SCALE_LOGS).max())
    return Answer(question.first, evidence, bound, np.exp(posterior - evidence))


def effect_bounds(question: Question, effects: Sequence[float], alpha: float) -> tuple[float, float]:
    """The least and the largest effect that pairs of builds on both sides, at least one, do not exclude.

    One is excluded when "nothing" and the steps in question, half and half, are likelier than it by 1/alpha
    at any scale: the bound of `Answer`, of every effect instead of none.  So the true one ever is with
    probability at most alpha, however often one looks, where effects scatter as the model says.
    """
    values = np.asarray(effects, dtype=np.float64)
    steps, step_logs = question.steps()
    scales = (_SCALES * question.noise * math.sqrt(2.0))[:, None]

    def likely(at: Values) -> Values:  # effects x scales
        each = _student((values - at[:, None])[:, None, :] / scales).sum(axis=2)
        return each - len(values) * np.log(scales[:, 0])

    known = np.concatenate(([0.0], steps))
    shares = np.concatenate(([0.0], step_logs)) - math.log(2.0)
    least = float(_log_sum(shares[:, None] + _SCALE_LOGS + likely(known))) + math.log(alpha)
    tried = np.concatenate((known, values, [values.mean()]))
    best = float(tried[likely(tried).max(axis=1).argmax()])

    def edge(side: float) -> float:
        inside, outside = 0.0, question.noise
        while likely(np.array([best + side * outside])).max() > least:
            inside, outside = outside, 2.0 * outside
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2.0
            if likely(np.array([best + side * middle])).max() > least:
                inside = middle
            else:
                outside = middle
        return best + side * outside

    return edge(-1.0), edge(1.0)


def _student(t: Values) -> Values:
    """The logarithm of Student's density, but for a constant."""
    return -(FREEDOM + 1.0) / 2.0 * np.log1p(np.square(t) / FREEDOM)


def _log_sum(logs: Values, axis: int | None = None) -> Values:
    """The logarithm of the sum of exponentials."""
    most = logs.max(axis=axis, keepdims=True)
    total = most + np.log(np.exp(logs - most).sum(axis=axis, keepdims=True))
    return np.squeeze(total, axis=axis)
