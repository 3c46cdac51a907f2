"""When another pair is run and when it is over: one rule, in a worker's lease and in a replay.  Pure.

The error rate is that of `compare`: where the pairs' logarithms are normal about "no change", a change
is told with probability at most `alpha`, however often one looks.  Leaving early, or at the end of the
budget, tells nothing, so neither can raise that rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from benchmarks.compare import ANOTHER_PAIR, PairsResult, Verdict, compare_pairs, is_futile
from benchmarks.metrics import Metric

ABOUT = 0.6  # of the suspected step: a true one may be smaller, the suspicion being the largest of many


@dataclass(frozen=True)
class Budget:
    """Pairs to ask for at `first`, then `more` at a time, `most` in all; `alpha` bounds false confirmations.

    Before `first` pairs nothing is decided.  A suspicion is left when the pairs make "no change"
    likelier than the suspected step by `futile` (Wald 1945); that spares pairs, and `unknown` is the
    answer.
    """

    first: int = 2
    more: int = 1
    most: int = 20
    alpha: float = 0.01
    futile: float = 12.0


@dataclass(frozen=True)
class Suspected:
    """The step that is suspected: `before` and `after` in the metric's unit, `relative` = after / before - 1.

    `score` is the step in standard errors of the screen, as a normal score.
    """

    before: float
    after: float
    relative: float
    score: float


class SequentialTest:
    """One metric of two builds on its way to a verdict; `a` is the last good build, `b` the suspect.

    With a suspected step only a change in its direction is told.  Without one any change is, and it is
    left when the budget's pairs would hardly decide it.
    """

    def __init__(
        self, metric: Metric, *, suspected: Suspected | None = None, budget: Budget | None = None
    ) -> None:
        self.metric, self.suspected, self.budget = metric, suspected, budget or Budget()
        self.a: list[float] = []
        self.b: list[float] = []
        self.result: PairsResult | None = None
        self._left = ""

    @property
    def wanted(self) -> int:
        """How many pairs to run next; 0 when it is over."""
        if self.is_over:
            return 0
        pairs = len(self.a)
        asked = self.budget.more if pairs >= self.budget.first else self.budget.first - pairs
        return min(asked, self.budget.most - pairs)

    @property
    def is_over(self) -> bool:
        """Whether a verdict stands, or the pairs are spent, or more would be in vain."""
        pairs = len(self.a)
        if self._left == _NONE_RUN or pairs >= self.budget.most:
            return True
        return pairs >= self.budget.first and (bool(self._left) or self.verdict != "unknown")

    @property
    def verdict(self) -> Verdict:
        """What the pairs tell so far; `unknown` also where they contradict the suspected direction."""
        if self.result is None or self._contradicts:
            return "unknown"
        return self.result.verdict

    @property
    def is_change(self) -> bool:
        """Whether the pairs show a change, and the suspected one where one is."""
        return self.verdict in ("regressed", "improved")

    def take(self, a: Sequence[float], b: Sequence[float]) -> None:
        """Take the pairs that were run, shapes (n,); none at all ends it.

        Raises:
            ValueError: unequal lengths, a value that is not finite, or a metric that is never judged.
        """
        if not len(a) and not len(b):
            self._left = _NONE_RUN
            return
        first, second = [*self.a, *a], [*self.b, *b]
        self.result = compare_pairs(
            first,
            second,
            metric=self.metric,
            alpha=self.budget.alpha,
            final=len(first) >= self.budget.most,
        )
        self.a, self.b = first, second
        self._left = self._reason_to_leave()

    def conclude(self, why: str = "") -> PairsResult:
        """The answer with the sentence that fits it; `why` no further pair comes, where the test still asks.

        Raises:
            ValueError: no pair was taken.
        """
        if self.result is None:
            raise ValueError(f"{self.metric.name} was never measured in a pair")
        sentence = self.result.sentence.replace(ANOTHER_PAIR, self._left or why or ANOTHER_PAIR)
        if self._contradicts:
            sentence = f"{sentence}; that contradicts what was suspected, so nothing is told"
        return replace(self.result, verdict=self.verdict, sentence=sentence)

    @property
    def _contradicts(self) -> bool:
        """Whether the pairs show a change in the other direction than the suspected one."""
        if self.result is None or self.suspected is None or self.result.verdict in ("same", "unknown"):
            return False
        return self.result.relative * self.suspected.relative <= 0

    def _reason_to_leave(self) -> str:
        if self.verdict != "unknown" or self.result is None:
            return ""
        if self.suspected is not None:
            return _REFUTED if self._is_refuted(self.suspected) else ""
        futile = is_futile(
            self.result, len(self.a), self.budget.most, metric=self.metric, before=median(self.a)
        )
        return _FUTILE if futile else ""

    def _is_refuted(self, told: Suspected) -> bool:
        """Whether no change is likelier than the suspected one by far.

        The pairs' spread is pooled with the one the screen had, which counts as two pairs.
        """
        effects, suspected = self._effects(told)
        if len(effects) < 2 or not suspected or not told.score:
            return False
        aim = max(ABOUT * abs(suspected), self.metric.relevant)
        prior = 2.0 * (suspected / told.score) ** 2
        squares = float(np.square(effects - effects.mean()).sum())
        variance = (squares + 2.0 * prior) / (len(effects) + 1)
        against = aim / 2.0 - math.copysign(1.0, suspected) * float(effects.mean())
        return len(effects) * aim * against > variance * math.log(self.budget.futile)

    def _effects(self, told: Suspected) -> tuple[np.ndarray, float]:
        """Each pair's change and the suspected one: logarithms of ratios, or relative where none exist."""
        first, second = np.array(self.a), np.array(self.b)
        if min(first.min(), second.min(), told.before, told.after) > 0:
            return np.log(second / first), math.log(told.after / told.before)
        size = abs(told.before) or abs(told.after) or 1.0
        return (second - first) / size, told.relative


_NONE_RUN = "no pair could be run"
_REFUTED = "no change is likelier than the suspected one by far, so no more pairs were run"
_FUTILE = "at this spread the pairs allowed would not decide it, so no more were run"
