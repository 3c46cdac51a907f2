"""The confirmation policy: asks for pairs of two builds until they decide about a suspicion.

The error rate is that of `benchmarks.compare`: where the pairs' logarithms are normal about "no
change", a change is told with probability at most `alpha`, however often one looks.  Leaving early or
at the end of the budget tells nothing, so neither can raise that rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.compare import PairsResult, Verdict, compare_pairs
from benchmarks.metrics import Metric, format_plain
from perfsite.regressions.detection.personas import NEARLY, Told

ABOUT = 0.6  # of the suspected step: a true one may be smaller, the suspicion being the largest of many


@dataclass(frozen=True)
class Budget:
    """Pairs to ask for at `first`, then `more` at a time, `most` in all; `alpha` bounds false confirmations.

    A suspicion is left when the pairs make "no change" likelier than the suspected step by `futile`
    (Wald 1945); that spares pairs, and `unknown` is the answer.
    """

    first: int = 2
    more: int = 1
    most: int = 20
    alpha: float = 0.01
    futile: float = 12.0


class Confirmation:
    """One suspicion on its way to a verdict; `a` is the last good build, `b` the suspect."""

    def __init__(
        self,
        suspicion: Told,
        *,
        better: Literal["lower", "higher"],
        relevant: float,
        grain: float = 0.0,
        budget: Budget | None = None,
    ) -> None:
        self.suspicion, self.budget = suspicion, budget or Budget()
        self.metric = Metric(
            "values", "The value", "", better, NEARLY * relevant, NEARLY * grain, format_plain
        )
        self.a: list[float] = []
        self.b: list[float] = []
        self.result: PairsResult | None = None
        self._left = False

    @property
    def wanted(self) -> int:
        """How many pairs to run next; 0 when it is over."""
        if self.is_over:
            return 0
        return min(self.budget.more if self.a else self.budget.first, self.budget.most - len(self.a))

    @property
    def is_over(self) -> bool:
        """Whether a verdict stands, or the pairs are spent, or more would be in vain."""
        return self._left or len(self.a) >= self.budget.most or self.verdict != "unknown"

    @property
    def verdict(self) -> Verdict:
        """What the pairs tell so far; `unknown` also where they contradict the suspected direction."""
        if self.result is None or self.result.verdict == "same":
            return "unknown" if self.result is None else "same"
        return self.result.verdict if self.result.relative * self.suspicion.relative > 0 else "unknown"

    @property
    def is_change(self) -> bool:
        """Whether the suspicion is confirmed."""
        return self.verdict in ("regressed", "improved")

    def take(self, a: Sequence[float], b: Sequence[float]) -> None:
        """Take the pairs that were run, shapes (n,); none at all ends the confirmation.

        Raises:
            ValueError: unequal lengths, or a value that is not finite.
        """
        if not len(a) and not len(b):
            self._left = True
            return
        self.result = compare_pairs(
            [*self.a, *a], [*self.b, *b], metric=self.metric, alpha=self.budget.alpha, final=False
        )
        self.a += a
        self.b += b
        self._left = self._is_futile()

    def _is_futile(self) -> bool:
        """Whether no change is likelier than the suspected one by far.

        The pairs' spread is pooled with the one the screen had, which counts as two pairs.
        """
        if len(self.a) < 2:
            return False
        effects, suspected = self._effects()
        if not suspected or not self.suspicion.score:
            return False
        aim = max(ABOUT * abs(suspected), self.metric.relevant)
        prior = 2.0 * (suspected / self.suspicion.score) ** 2
        squares = float(np.square(effects - effects.mean()).sum())
        variance = (squares + 2.0 * prior) / (len(effects) + 1)
        against = aim / 2.0 - math.copysign(1.0, suspected) * float(effects.mean())
        return len(effects) * aim * against > variance * math.log(self.budget.futile)

    def _effects(self) -> tuple[np.ndarray, float]:
        """Each pair's change and the suspected one: logarithms of ratios, or relative where none exist."""
        first, second = np.array(self.a), np.array(self.b)
        told = self.suspicion
        if min(first.min(), second.min(), told.before, told.after) > 0:
            return np.log(second / first), math.log(told.after / told.before)
        size = abs(told.before) or abs(told.after)
        return (second - first) / size, told.relative
