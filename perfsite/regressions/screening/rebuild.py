"""The screen's state from the rows: when it is missing, of another version, or overtaken by them.

It goes through the newest points as the service did, and takes every answer in where it came: so a
rebuilt state answers as the one that was carried from push to push.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from benchmarks.metrics import Metric
from perfsite.regressions.models import Suspicion, Verdict
from perfsite.regressions.screening.rule import Rule
from perfsite.regressions.screening.state import Doubt, Memory, memory_new
from perfsite.results.models import Measurement

# what is older has left the state long ago, and a rebuild must not grow with the history
REBUILD_POINTS = 1000

MOVED = (Verdict.Kind.REGRESSED, Verdict.Kind.IMPROVED)


@dataclass(frozen=True)
class Outcome:
    """What became of a doubt: `changed`, or `cleared` (no change, or more likely none), or neither."""

    changed: bool = False
    cleared: bool = False


@dataclass(frozen=True)
class _Event:
    """An answer (None: open) to a doubt; `begins` where the screen only let a level begin there."""

    doubt: Doubt
    outcome: Outcome | None = None
    begins: bool = False


@dataclass
class Past:
    """What was decided about one series.

    `events` are keyed by the ordinal of the newest point of that time; `moved` are builds with a change
    that no suspicion led to.
    """

    events: dict[int, list[_Event]] = field(default_factory=lambda: defaultdict(list))
    moved: set[int] = field(default_factory=set)


def outcomes_read(*, series_ids: Collection[int]) -> dict[tuple[int, int], Outcome]:
    """What became of the doubts of these series: (series, build) -> the newest answer.

    What could not be decided takes no earlier answer back.
    """
    rows = Verdict.objects.filter(series_id__in=series_ids).exclude(stage="screen", kind=Verdict.Kind.UNKNOWN)
    found: dict[tuple[int, int], Outcome] = {}
    for row in rows.only("series_id", "build_id", "kind", "evidence").order_by("id"):
        key = row.series_id, row.build_id
        if row.kind == Verdict.Kind.UNKNOWN:
            found.setdefault(key, Outcome(cleared=_odds(row.evidence.get("e_value")) < 1.0))
        else:
            found[key] = Outcome(row.kind in MOVED, row.kind == Verdict.Kind.SAME)
    return found


def _odds(e_value: object) -> float:
    return float(e_value) if isinstance(e_value, int | float) else 1.0


def pasts_read(*, places: Mapping[int, int]) -> dict[int, Past]:
    """What was decided about each series up to a place: series -> ordinal of its newest screened point."""
    outcomes = outcomes_read(series_ids=list(places))
    found = {key: Past() for key in places}
    doubted = set()
    rows = Suspicion.objects.filter(series_id__in=list(places)).order_by("id").values_list(
        "series_id", "build_id", "build__ordinal", "trigger__run__build__ordinal", "state", "evidence"
    )  # fmt: skip
    for key, build_id, ordinal, trigger, state, evidence in rows:
        doubted.add((key, build_id))
        if ordinal is None or trigger is None or trigger > places[key]:
            continue
        doubt = Doubt(build_id, ordinal, evidence.get("score", 0.0))
        outcome = outcomes.get((key, build_id), Outcome()) if state == "settled" else None
        events = found[key].events
        events[trigger].append(_Event(doubt, outcome))
        if "level_begun" in evidence:
            events[evidence["level_begun"]].append(_Event(doubt, begins=True))
    for (key, build_id), outcome in outcomes.items():
        if outcome.changed and (key, build_id) not in doubted:
            found[key].moved.add(build_id)
    return found


def memory_rebuild(*, series_id: int, through: int, past: Past, metric: Metric, rule: Rule) -> Memory:
    """The state after the point at the ordinal `through`, from its points and its past."""
    memory = memory_new(metric=metric, rule=rule)
    if not through:
        return memory
    rows = Measurement.objects.filter(series_id=series_id, ordinal__lte=through, n__gte=metric.samples)
    newest = rows.order_by("-ordinal").values_list("ordinal", "value", "unstable")[:REBUILD_POINTS]
    points = list(reversed(newest))
    done = 0
    for count, (ordinal, _, _) in enumerate(points, start=1):
        if ordinal in past.events:
            memory.take_many(points[done:count])
            done = count
            for event in past.events[ordinal]:
                _event_take(memory, event)
    memory.take_many(points[done:])
    if past.moved:
        moved = rows.filter(build_id__in=past.moved).order_by("ordinal")
        for ordinal in moved.values_list("ordinal", flat=True):
            memory.level_begin(ordinal)
    return memory


def _event_take(memory: Memory, event: _Event) -> None:
    if event.begins:
        memory.level_begin(event.doubt.ordinal)
        return
    memory.doubt = event.doubt
    if event.outcome:
        memory.settle(changed=event.outcome.changed, cleared=event.outcome.cleared)
