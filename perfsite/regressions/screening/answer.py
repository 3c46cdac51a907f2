"""The screen's answer about the newest point of a series, whichever rule gave it.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.metrics import Metric
from perfsite.regressions.detection import Screening, Told, screen
from perfsite.regressions.detection.rule import relative_change
from perfsite.regressions.detection.student import two_sided_p
from perfsite.regressions.screening.gate import screens_settled
from perfsite.regressions.screening.rule import Rule
from perfsite.regressions.screening.state import ONLINE_DETECTOR, TAKEN, Memory
from perfsite.regressions.wording import Change

# earlier points of a level from which on the online screen judges it.  It needs several to know the
# noise; the windows of `detection.screen` were chosen on short histories, with a strong prior
YOUNG = 24
_INTERVAL = 1.96  # normal score of the interval's ends: 95 %
_LEVEL_POINTS = 30


@dataclass(frozen=True)
class Answer:
    """What is said: `kind` as of a verdict, with the numbers behind it in the metric's unit.

    A suspicion has `start` and `good`: the ordinals of the first point of the new level and of the
    last one known to be good.
    """

    kind: str
    because: str
    change: Change
    score: float
    detector: str
    parameters: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    start: int = 0
    good: int = 0

    @property
    def is_suspicious(self) -> bool:
        """Whether a change is told, for better or worse."""
        return self.kind in ("regressed", "improved")

    @property
    def evidence(self) -> dict[str, Any]:
        """The numbers as a suspicion or a verdict keeps them."""
        return {
            "kind": self.kind,
            "because": self.because,
            "before": self.change.before,
            "after": self.change.after,
            "relative": self.change.relative,
            "relative_low": self.change.low,
            "relative_high": self.change.high,
            "score": self.score,
            "detector": self.detector,
            **self.details,
        }


def timed_judge(memory: Memory, *, taken: bool, metric: Metric, rule: Rule) -> Answer | None:
    """The answer about the newest point that `memory` took or left out; None where all is the same."""
    if memory.online.points - taken < YOUNG:
        return _young_judge(memory, metric, rule)
    if not taken:
        return _unstable_answer(memory)
    told = memory.online.look()
    return None if told is None else _told_answer(told, memory, metric, rule)


def memories_quiet(memories: Sequence[Memory]) -> set[int]:
    """The `id` of those on a settled level whose newest point, which was taken, cannot be suspicious.

    It spares most of them the whole contrast, which takes ten times as long.
    """
    settled = [one for one in memories if one.online.points > YOUNG and one.marks[-1] & TAKEN]
    quiet = screens_settled([one.online for one in settled])
    return {id(one) for one, is_quiet in zip(settled, quiet, strict=True) if is_quiet}


def exact_judge(
    places: list[int], values: list[float], *, level: int, metric: Metric, rule: Rule
) -> Answer | None:
    """The answer about the newest of these values of a counted metric; None where all is the same."""
    return _screened(places, values, None, level, (), metric, rule)


def _young_judge(memory: Memory, metric: Metric, rule: Rule) -> Answer | None:
    if _is_quiet(memory, metric, rule):
        return None
    values = memory.numbers
    places, unstable = memory.places[-len(values) :], memory.unstable[-len(values) :]
    return _screened(places, values, unstable, memory.level, memory.cleared, metric, rule)


def _is_quiet(memory: Memory, metric: Metric, rule: Rule) -> bool:
    """Whether no window of newest points moved by what is relevant, so that the rest need not be asked.

    It spares nine of ten young series the whole rule, which takes twenty times as long.
    """
    limits, values = rule.parameters, memory.numbers
    if True in memory.unstable[-len(values) :]:
        return False
    places = memory.places[-len(values) :]
    level = next((i for i, place in enumerate(places) if place >= memory.level), 0)
    if len(values) - 1 - level < limits.min_points:
        return False
    for width in limits.windows:
        start = len(values) - width
        if start <= level:
            continue
        before = median(values[max(level, start - limits.level_points) : start])
        window = values[start:]
        after = min(window, key=lambda value: abs(value - before)) if width == 2 else median(window)
        if abs(after - before) > max(metric.grain, metric.relevant * abs(before)):
            return False
    return True


def _screened(
    places: list[int],
    values: list[float],
    unstable: list[bool] | None,
    level: int,
    cleared: tuple[int, ...] | list[int],
    metric: Metric,
    rule: Rule,
) -> Answer | None:
    """What the windows of `detection.screen` say about the newest point."""
    found = screen(
        values,
        better=metric.better or "lower",
        relevant=metric.relevant,
        grain=metric.grain,
        exact=metric.exact,
        level_start=next((i for i, place in enumerate(places) if place >= level), 0),
        unstable=unstable,
        cleared=[i for i, place in enumerate(places) if place in cleared],
        parameters=rule.parameters,
    )
    return None if found.kind == "same" else _screening_answer(found, places)


def _screening_answer(found: Screening, places: list[int]) -> Answer:
    change = Change(found.before, found.after, found.relative, found.relative_low, found.relative_high)
    told = {"noise": found.noise, "p_value": found.p_value, "points": found.points}
    return Answer(
        found.kind,
        found.because,
        change,
        found.score,
        found.detector,
        found.parameters,
        told,
        start=places[found.start],
        good=places[max(found.start - 1, 0)],
    )


def _told_answer(told: Told, memory: Memory, metric: Metric, rule: Rule) -> Answer:
    """A suspicion of the online screen; its counts become places."""
    newest, taken = memory.online.count - 1, memory.taken
    places = [
        taken[max(len(taken) - 1 - newest + count, 0)] for count in (told.index, told.last_good, told.suspect)
    ]
    half = _INTERVAL * abs(told.relative / told.score)
    change = Change(told.before, told.after, told.relative, told.relative - half, told.relative + half)
    persona = rule.persona
    return Answer(
        kind="regressed" if (told.relative > 0) == (metric.better == "lower") else "improved",
        because="beyond_noise",
        change=change,
        score=told.score,
        detector=ONLINE_DETECTOR,
        parameters={
            "better": metric.better,
            "relevant": metric.relevant,
            "grain": metric.grain,
            **asdict(persona),
        },
        details={
            "p_value": two_sided_p(told.score),
            "points": told.index - (memory.online.count - memory.online.points),
            "suspect": places[2],
        },
        start=places[0],
        good=places[1],
    )


def _unstable_answer(memory: Memory) -> Answer:
    """The newest point was left out: it is shown beside the level and not judged."""
    values = memory.numbers
    marked = memory.unstable[-len(values) :]
    level = [value for value, mark in zip(values[:-1], marked, strict=False) if not mark]
    before, after = median(level[-_LEVEL_POINTS:] or values), values[-1]
    change = Change(before, after, relative_change(before, after))
    return Answer("unknown", "unstable", change, 0.0, ONLINE_DETECTOR)
