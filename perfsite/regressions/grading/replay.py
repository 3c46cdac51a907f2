"""What another rule would have made of a history, by the service's own screen.  No database.

A suspicion of the replay is answered by what is known: by the pairs that were run about that build,
under the rule that is tried; else by the verdict on record; else by the change-point pass over the
whole history, which is an assumption and counted as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.metrics import Metric
from benchmarks.sequential import Budget, SequentialTest, Suspected
from perfsite.regressions.detection import changes_find
from perfsite.regressions.grading.doubt import NEAR, Doubt
from perfsite.regressions.screening.answer import Answer, exact_judge, timed_judge
from perfsite.regressions.screening.rule import Rule, rule_read
from perfsite.regressions.screening.state import ONLINE_DETECTOR, Memory, memory_new
from perfsite.regressions.screening.state import Doubt as Asked


@dataclass(frozen=True)
class Policy:
    """The screen's rule with that of the comparisons: their `alpha` and `max_pairs`."""

    rule: Rule
    alpha: float
    max_pairs: int

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Policy:
        """The policy of a whole set of parameters."""
        return cls(rule_read(parameters), parameters["alpha"], parameters["max_pairs"])


@dataclass(frozen=True)
class Record:
    """What a comparison of a build once said; `a` and `b` are its pairs, as far as they were kept."""

    kind: str
    a: tuple[float, ...] = ()
    b: tuple[float, ...] = ()


@dataclass(frozen=True)
class History:
    """A series: its points in branch order, and the answers on record by ordinal.

    `case` is the label that patterns match.
    """

    case: str
    metric: Metric
    ordinals: Sequence[int]
    values: Sequence[float]
    unstable: Sequence[bool]
    records: Mapping[int, Record]


def history_replay(history: History, policy: Policy) -> list[Doubt]:
    """What the screen would have suspected under `policy`, and what would have come of it."""
    history = replace(history, metric=policy.rule.metric_of(history.metric, case=history.case))
    if history.metric.exact:
        return _counted(history, policy.rule)
    return _Replay(history, policy).run()


def histories_replay(history: History, policies: tuple[Policy, Policy]) -> tuple[list[Doubt], list[Doubt]]:
    """One history under two policies; once where they cannot differ: same screen, and no pairs to judge."""
    first, second = policies
    metric = history.metric
    same = first.rule.score == second.rule.score or metric.exact
    told = [policy.rule.metric_of(metric, case=history.case).relevant for policy in policies]
    same &= told[0] == told[1]
    before = history_replay(history, first)
    if same and not any(record.a for record in history.records.values()):
        return before, before
    return before, history_replay(history, second)


class _Replay:
    """One series under one policy, whose relevant change its metric has."""

    def __init__(self, history: History, policy: Policy) -> None:
        self.history, self.policy = history, policy
        self.memory: Memory = memory_new(metric=history.metric, rule=policy.rule)
        self.places = {ordinal: index for index, ordinal in enumerate(history.ordinals)}
        self.doubts: dict[int, Doubt] = {}
        self._passed: list[int] | None = None

    def run(self) -> list[Doubt]:
        """Go through the points as the service does: a build is doubted once, a lasting level once more."""
        history, memory = self.history, self.memory
        for ordinal, value, unstable in zip(history.ordinals, history.values, history.unstable, strict=True):
            taken = memory.take(ordinal, value, unstable=unstable)
            answer = timed_judge(memory, taken=taken, metric=history.metric, rule=self.policy.rule)
            if answer is None or not answer.is_suspicious:
                continue
            if answer.start not in self.doubts:
                self._settle(answer)
            elif answer.detector == ONLINE_DETECTOR:
                memory.level_begin(answer.start)
                if ordinal not in self.doubts:
                    self._settle(replace(answer, start=ordinal))
        return list(self.doubts.values())

    def _settle(self, answer: Answer) -> None:
        doubt = self._doubt(answer)
        self.doubts[answer.start] = doubt
        self.memory.doubt = Asked(0, answer.start, answer.score)
        self.memory.settle(changed=doubt.outcome == "confirmed", cleared=doubt.outcome == "refuted")

    def _doubt(self, answer: Answer) -> Doubt:
        places = self._reach(answer)
        record = self._record_find(answer, places)
        outcome, pairs = self._outcome(record, answer) if record else (self._assumed(answer), None)
        return _doubt_make(self.history, answer, places, outcome, pairs, assumed=record is None)

    def _reach(self, answer: Answer) -> range:
        """The points that may be meant."""
        index = self.places[answer.start]
        good = self.places.get(answer.good, index - 1)
        suspect = self.places.get(answer.details.get("suspect", answer.start), index)
        first = max(min(good + 1, index - NEAR), 0)
        return range(first, min(max(suspect, index + NEAR) + 1, len(self.history.ordinals)))

    def _record_find(self, answer: Answer, places: range) -> Record | None:
        """The answer on record that is nearest to the suspected build, if any is near."""
        known = [place for place in places if self.history.ordinals[place] in self.history.records]
        if not known:
            return None
        nearest = min(known, key=lambda place: abs(place - self.places[answer.start]))
        return self.history.records[self.history.ordinals[nearest]]

    def _outcome(self, record: Record, answer: Answer) -> tuple[str, int | None]:
        """What the policy makes of a record; pairs that end before it decides leave it undecided."""
        if not record.a:
            words = {"regressed": "confirmed", "improved": "confirmed", "same": "refuted"}
            return words.get(record.kind, "undecided"), None
        metric, policy = self.history.metric, self.policy
        change = answer.change
        test = SequentialTest(
            metric,
            suspected=Suspected(change.before, change.after, change.relative, answer.score),
            budget=Budget(first=1, most=policy.max_pairs, alpha=policy.alpha),
        )
        at = 0
        while test.wanted and at < len(record.a):
            pairs = slice(at, at + test.wanted)
            test.take(record.a[pairs], record.b[pairs])
            at = len(test.a)
        if test.is_change:
            return "confirmed", at
        is_left = test.verdict == "same" or (test.is_over and at < policy.max_pairs)
        return ("refuted", at) if is_left else ("undecided", policy.max_pairs)

    def _assumed(self, answer: Answer) -> str:
        """What the pass over the whole history says about the build; it runs once, and only when asked."""
        if self._passed is None:
            metric = self.history.metric
            found = changes_find(self.history.values, relevant=metric.relevant, grain=metric.grain)
            self._passed = [change.index for change in found]
        index = self.places[answer.start]
        return "confirmed" if any(abs(place - index) <= NEAR for place in self._passed) else "refuted"


def _counted(history: History, rule: Rule) -> list[Doubt]:
    """A counted metric is held against the build before, and needs no comparison."""
    doubts, metric = [], history.metric
    for index in range(1, len(history.values)):
        pair = slice(index - 1, index + 1)
        places, values = list(history.ordinals[pair]), list(history.values[pair])
        answer = exact_judge(places, values, level=places[0], metric=metric, rule=rule)
        if answer is not None and answer.is_suspicious:
            reach = range(index, index + 1)
            doubts.append(_doubt_make(history, answer, reach, "confirmed", 0, assumed=False))
    return doubts


def _doubt_make(
    history: History, answer: Answer, places: range, outcome: str, pairs: int | None, *, assumed: bool
) -> Doubt:
    return Doubt(
        index=history.ordinals.index(answer.start),
        ordinal=answer.start,
        ordinals=tuple(history.ordinals[place] for place in places),
        relative=answer.change.relative,
        outcome=outcome,
        pairs=pairs,
        assumed=assumed,
        is_worse=answer.kind == "regressed",
    )
