"""The search for the guilty commit between a good and a bad build (pure): answers in, the next question out.

An innocent commit is named only when an answer is wrong: one called good that has the change, or one
called bad that has not.  Each answer is held to `RATE` divided by the most answers that a search may take,
so that of all searches together at most `RATE` name an innocent, where the pairs' logarithms are normal
(see `benchmarks.compare`) and one commit made the change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.compare import compare_pairs, interval_half_width
from benchmarks.metrics import Metric

RATE = 0.05
PART = 2 / 3  # of the whole change: what an answer must leave room for, to be bad, or none, to be good
JUMP = 0.5  # of the whole change: the least that a commit differs by from its parent to be named

Kind = Literal["regressed", "partial", "same", "unknown", "failed"]
Reason = Literal["partial", "shared", "unknown", "failed", "spent"]


@dataclass(frozen=True)
class Answer:
    """What is known of a commit against the good build; `failed` could not be built or measured.

    `relative` is the commit over the good build minus one, with its interval; None where nothing was
    measured.  `partial` is worse than the good build, yet by less than a good part of the whole change.
    """

    kind: Kind
    relative: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Ask:
    """Measure `commit` next; `others` are the further ones that no answer has decided about."""

    commit: int
    others: tuple[int, ...] = ()


@dataclass(frozen=True)
class Found:
    """`commit` made the change: it was shown bad, and `parent`, the one before it, good."""

    commit: int
    parent: int


@dataclass(frozen=True)
class Range:
    """The search ends without a name: the change came after `good`, with `bad` at the latest.

    `about` are the commits that stand in the way.
    """

    good: int
    bad: int
    reason: Reason
    about: tuple[int, ...] = ()


def answers_most(between: int, hinted: int = 0) -> int:
    """How many answers a search among that many commits may take: halving, two for neighbours, the hinted."""
    return between.bit_length() + 2 + hinted


@dataclass(frozen=True)
class Search:
    """A search as far as it got.

    `commits` are numbers from the good one to the bad one, both included, the oldest first; `answers`
    are those about commits between; `whole` is the change of the bad one against the good one,
    relative; `most` answers may be taken.  `hint` are commits that are asked about first: where another
    search found a culprit and its parent.  It changes the order of questions and no answer.
    """

    commits: tuple[int, ...]
    answers: Mapping[int, Answer]
    whole: float
    most: int
    hint: tuple[int, ...] = ()

    @property
    def bounds(self) -> tuple[int, int]:
        """The newest commit that is good, and the oldest behind it that is bad."""
        low, high = self._places
        return self.commits[low], self.commits[high]

    def next(self) -> Ask | Found | Range:
        """The next commit to measure, or how the search ends.

        Of two commits equally near to the middle the older one is asked: parents first.
        """
        low, high = self._places
        inside = self.commits[low + 1 : high]
        if not inside:
            return self._named(low, high)
        parts = self._of_kind(inside, "partial")
        unknown = self._of_kind(inside, "unknown")
        waiting = [commit for commit in inside if commit not in self.answers]
        if parts:
            return self._range("partial", parts)
        if len(unknown) > 1 or (unknown and not waiting):  # a neighbour did not tell either, or there is none
            return self._range("unknown", unknown)
        if not waiting:
            return self._range("failed", inside)
        if len(self._measured) >= self.most:
            return self._range("spent", tuple(waiting))
        hinted = [commit for commit in self.hint if commit in waiting]
        middle = (low + high) // 2
        place = {commit: number for number, commit in enumerate(self.commits)}
        nearest = min(waiting, key=lambda commit: (abs(place[commit] - middle), place[commit]))
        first = hinted[0] if hinted else nearest
        return Ask(first, tuple(commit for commit in waiting if commit != first))

    @property
    def _places(self) -> tuple[int, int]:
        last = len(self.commits) - 1
        kinds = [self._kind(commit) for commit in self.commits]
        low = max((place for place in range(1, last) if kinds[place] == "same"), default=0)
        high = next((place for place in range(low + 1, last) if kinds[place] == "regressed"), last)
        return low, high

    @property
    def _measured(self) -> list[Answer]:
        return [answer for answer in self.answers.values() if answer.kind != "failed"]

    def _kind(self, commit: int) -> str:
        return self.answers[commit].kind if commit in self.answers else ""

    def _of_kind(self, commits: Sequence[int], kind: Kind) -> tuple[int, ...]:
        return tuple(commit for commit in commits if self._kind(commit) == kind)

    def _range(self, reason: Reason, about: Sequence[int]) -> Range:
        good, bad = self.bounds
        return Range(good, bad, reason, tuple(about))

    def _named(self, low: int, high: int) -> Found | Range:
        """The culprit, unless too little of the change came between it and its parent."""
        parent, culprit = self.commits[low], self.commits[high]
        before = self._share(parent) if low else 0.0
        after = self._share(culprit) if high < len(self.commits) - 1 else 1.0
        if after - before < JUMP:
            return Range(self.commits[0], culprit, "shared", (parent, culprit))
        return Found(culprit, parent)

    def _share(self, commit: int) -> float:
        return (self.answers[commit].relative or 0.0) / self.whole


def answer_of(
    good: Sequence[float], commit: Sequence[float], *, metric: Metric, whole: float, alpha: float
) -> Answer:
    """What the pairs tell, shapes (n,): wrong with probability `alpha` at most, however many were run.

    The rule is the confirmation's, with one addition: a commit is also good when its interval leaves no
    room for a good part of the change that is searched for, though a smaller one might be in it.

    Raises:
        ValueError: as `compare_pairs`.
    """
    result = compare_pairs(good, commit, metric=metric, alpha=alpha, final=True)
    low, high = result.relative_low, result.relative_high
    kind: Kind = "unknown"
    if low is not None and high is not None:
        reach = max(low / whole, high / whole)
        if result.verdict == "regressed" and reach < PART:
            kind = "partial"
        elif result.verdict == "regressed" and result.relative / whole >= JUMP:
            kind = "regressed"
        elif result.verdict != "regressed" and reach < PART:
            kind = "same"
    return Answer(kind, result.relative, low, high)


def pairs_enough(
    good: Sequence[float], commit: Sequence[float], *, whole: float, alpha: float, most: int
) -> int:
    """How many pairs will tell a commit with the change from one without, judged by earlier pairs' spread.

    That spread is known from few pairs, so half as much again is reckoned with; `most` where none tells.
    """
    first, second = np.asarray(good, dtype=float), np.asarray(commit, dtype=float)
    if first.size < 3 or first.shape != second.shape or min(first.min(), second.min()) <= 0:
        return most
    deviation = 1.5 * float(np.log(second / first).std(ddof=1))
    room = PART * float(abs(np.log1p(whole))) / 2
    for pairs in range(4, most):
        half = interval_half_width(deviation, pairs, alpha)
        if half is not None and half <= room:
            return pairs
    return most
