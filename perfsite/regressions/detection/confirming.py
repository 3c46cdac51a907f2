"""The confirmation policy: a screen that asks for pairs of runs before it tells anything.

It asks early, since a refutation is cheap, and weighs what pairs cost against what they may show: a
step of r noises takes about 10/r^2 of them.  What the series says and what pairs said add up: a
suspicion that they left open is asked about again when later builds make it likelier, and the earlier
pairs still count.  A confirmed change is told when its place is known, by later builds or by pairs of
the builds in doubt (a Bayesian search; Horstein 1963).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from perfsite.regressions.detection.contrast import PLACE, Contrast
from perfsite.regressions.detection.evidence import levels
from perfsite.regressions.detection.online import OnlineScreen, _View
from perfsite.regressions.detection.pairs import Answer, Pair, Question, effect_bounds, pairs_weigh
from perfsite.regressions.detection.personas import NEARLY, Persona, Told

REMEMBERED = 64  # pairs on file at most
DOUBLED = 4  # builds about a told change within which more of it is the same one
Kind = Literal["changed", "same", "unknown"]
_WORTH = 3.0  # noises from which on a larger step makes pairs no cheaper


@dataclass(frozen=True)
class Spending:
    """When pairs are asked for; `least`, `ask` and `leave` are what the rates were measured with.

    `alpha` bounds false confirmations of one suspicion.  A suspicion needs the normal score `least`.
    Its odds are logarithmic, and at a score of zero minus `rarity`; pairs begin at `ask` for a step of
    two noises, later for a smaller one, and end at `leave`.  At most `most` pairs for one suspicion,
    `at_once` before the next build; `locating` more for the place while less than `sure` of it lies
    within two builds, but not before the new level has `patience` builds.  A series that has taken more than
    `credit` runs and `rate` per build must show more before it is asked about: by one for each `dearer` runs.
    """

    alpha: float = 0.003
    least: float = 2.3
    rarity: float = 4.6
    ask: float = -1.0
    leave: float = -3.0
    most: int = 30
    at_once: int = 12
    locating: int = 6
    sure: float = 0.85
    patience: int = 4
    credit: float = 24.0
    rate: float = 0.18
    dearer: float = 8.0


@dataclass(frozen=True)
class Ask:
    """A wish for `pairs` interleaved runs of the builds `a` and `b`, by their indices."""

    a: int
    b: int
    pairs: int


@dataclass(frozen=True)
class Finding:
    """What the pairs say about the newest suspicion: a new level that begins at `index` and `rises` or falls.

    `change` is b over a minus one (with values of zero or below: over the level), bounded by `low` and
    `high` at `level` at all times together (`effect_bounds`); None without a pair.  `pairs` are those of
    builds on both sides of `index`, of earlier questions too; `spent` those that were run when
    `asked_at` was the newest build.
    """

    index: int
    asked_at: int
    rises: bool
    kind: Kind
    change: float | None
    low: float | None
    high: float | None
    level: float
    evidence: float
    pairs: int
    spent: int


Pairs = tuple[Sequence[float], Sequence[float]]
Asking = Generator[Ask, Pairs, Told | None]


class PairScreen(OnlineScreen):
    """The online screen of one series with its pairs on file; the state is constant in size."""

    def __init__(
        self, spending: Spending | None = None, *, relevant: float = 0.01, grain: float = 0.0
    ) -> None:
        self.spending = spending or Spending()
        persona = Persona(score=self.spending.least, points=2, sure=0.0, asks=True, earliest=4)
        super().__init__(persona, relevant=relevant, grain=grain)
        self.pairs: list[Pair] = []
        self.runs = 0
        self.finding: Finding | None = None
        self._spent = 0
        self._last = (-REMEMBERED, 0.0)  # the change told last: its index and step

    def asking(self) -> Asking:
        """After `take`: yields each wish, is sent the values of both builds, returns the change to tell.

        No pair at all as an answer ends it until the next value.  Answers are in the unit of the values.

        Raises:
            ValueError: unequal lengths, or a value that is not finite.
        """
        self._spent = 0
        view = self._view()
        if view is None or not self._passes(view):
            return None
        question = self._question(view)
        answer = yield from self._confirm(view, question)
        if answer is None:
            return None
        return (yield from self._locate(view, question, answer))

    def _question(self, view: _View) -> Question:
        step = view.after - view.before
        first = self.count - self.points + view.split.earliest
        return Question(first, view.split.weights, step, abs(step / view.split.score), view.noise)

    def _confirm(self, view: _View, question: Question) -> Generator[Ask, Pairs, Answer | None]:
        """Pairs until the change is confirmed; None where it is not."""
        rule, asked = self.spending, 0
        odds = view.split.score**2 / 2.0 - rule.rarity
        worth = 2.0 * math.log(min(abs(question.step) / question.noise, _WORTH) / 2.0)
        debt = max(0.0, self.runs - rule.credit - rule.rate * self.count) / rule.dearer
        while True:
            answer = pairs_weigh(question, self.pairs)
            across = self._across(answer.best)
            changed = answer.bound >= -math.log(rule.alpha) and self._is_large(across)
            now = odds + answer.evidence
            left = min(rule.most - len(across), rule.at_once - asked)
            over = now < rule.leave if asked else now + worth < rule.ask + debt
            kind: Kind = "changed" if changed else "same" if now < rule.leave else "unknown"
            self._find(kind, question, answer)
            if changed:
                return answer
            if over or left <= 0:
                return None
            ask = Ask(answer.at(0.05) - 1, answer.at(0.95), min(1 if across else 2, left))
            got = self._file(ask, (yield ask))
            if not got:
                return None
            asked += got

    def _locate(self, view: _View, question: Question, answer: Answer) -> Asking:
        """More pairs while the place is in doubt; None while later builds may still tell it."""
        rule, asked = self.spending, 0
        young = self.points - view.split.start < rule.patience
        while answer.within(PLACE) < rule.sure:
            if young:
                return None
            low, middle = answer.at(0.05), answer.at(0.5)
            middle = max(middle - (middle == answer.at(0.95)), low)
            ask = Ask(low - 1, middle, 1)
            if asked >= rule.locating or not self._file(ask, (yield ask)):
                break
            asked += 1
            answer = pairs_weigh(question, self.pairs)
            self._find("changed", question, answer)
        return self._begun(view, answer)

    def _begun(self, view: _View, answer: Answer) -> Told | None:
        """Begin the new level where it is likeliest; the change, unless it is the last one going on."""
        zero, index = self.count - self.points, answer.best
        first, last = answer.at(0.05), max(answer.at(0.95), index)
        start = index - zero
        before, after = levels(self._kept[len(self._kept) - self.points :], start)
        split = Contrast(start, view.split.score, answer.within(PLACE), first - zero, last - zero)
        placed = replace(view, split=split, before=before, after=after)
        step = after - before
        going_on = self._creeps(placed)
        doubled = abs(index - self._last[0]) <= DOUBLED and step * self._last[1] > 0
        told = self._told(placed)
        self._rebased(placed, silent=going_on)
        self.pairs = [pair.forgotten(index, step) for pair in self.pairs]
        if going_on or doubled:
            return None
        self._last = (index, step)
        return told

    def _file(self, ask: Ask, values: Pairs) -> int:
        """Put the pairs on file; how many they were."""
        effects = self._effects(*values)
        self.pairs = [*self.pairs, *(Pair(ask.a, ask.b, effect) for effect in effects)][-REMEMBERED:]
        self.runs += 2 * len(effects)
        self._spent += len(effects)
        return len(effects)

    def _effects(self, a: Sequence[float], b: Sequence[float]) -> list[float]:
        """Each pair's change in the buffer's unit."""
        if len(a) != len(b) or not all(math.isfinite(value) for value in (*a, *b)):
            raise ValueError("pairs are as many finite values of each build")
        if self.unit:
            return [(y - x) / self.unit for x, y in zip(a, b, strict=True)]
        return [
            math.log(y / x) if x > 0 and y > 0 else (y - x) / (max(abs(x), abs(y)) or 1.0)
            for x, y in zip(a, b, strict=True)
        ]

    def _across(self, start: int) -> list[float]:
        """The effects of the pairs on both sides of a place."""
        return [pair.effect for pair in self.pairs if pair.a < start <= pair.b]

    def _is_large(self, effects: list[float]) -> bool:
        """Whether the change that pairs show is worth telling, as far as they know."""
        return bool(effects) and abs(float(np.mean(effects))) >= 0.5 * NEARLY * self.relevant

    def _find(self, kind: Kind, question: Question, answer: Answer) -> None:
        # pairs that show nothing say nothing of the place: it stays the suspected one
        place = answer.best if kind == "changed" else question.best
        effects = self._across(place)
        edges: tuple[float | None, ...] = (None, None, None)
        if effects:
            edges = (float(np.mean(effects)), *effect_bounds(question, effects, self.spending.alpha))
        change, low, high = (
            edge if edge is None or self.unit else math.expm1(min(edge, 700.0)) for edge in edges
        )
        evidence = math.exp(min(answer.bound, 700.0))
        self.finding = Finding(
            index=place,
            asked_at=self.count - 1,
            rises=question.step > 0,
            kind=kind,
            change=change,
            low=low,
            high=high,
            level=1.0 - self.spending.alpha,
            evidence=evidence,
            pairs=len(effects),
            spent=self._spent,
        )
