"""Suspicions of results measured elsewhere: nothing can be run again, so the change-point pass alone decides.

Later, because it wants several points of the new level, and more strictly, because it must find the change
by itself in the whole history.  While it waits the verdict is `unknown`; what it told is held against more
points, and taken back when they do not show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from benchmarks.metrics import metric_get
from perfsite.regressions.changes import data_digest, verdict_append, verdict_record
from perfsite.regressions.detection import changes_find
from perfsite.regressions.detection.full import SCORE
from perfsite.regressions.detection.full import Change as Found
from perfsite.regressions.grading.doubt import NEAR
from perfsite.regressions.guard import guarded
from perfsite.regressions.levels import CHANGES, level_rebase
from perfsite.regressions.models import Suspicion, Verdict
from perfsite.regressions.screening.project_rule import rule_of
from perfsite.regressions.subjects import subject_of
from perfsite.regressions.wording import Change, later_sentence, unknown_sentence, unmoved_sentence
from perfsite.results.models import Measurement
from perfsite.runs.models import Build, Job

DETECTOR = "change-point-pass/1"
STAGE = "pass"
POINTS_LEAST = 5  # of the new level, before the pass is asked
POINTS_MOST = 20  # of it, after which the answer stays
HISTORY = 300  # newest points that are read
_INTERVAL = 1.96  # normal score of the interval's ends: 95 %


def suspicions_defer() -> int:
    """Answer `unknown` for now to what cannot be measured again; returns how many there were."""
    rows = Suspicion.objects.filter(state="open", job=None, trigger__kind=Job.Kind.EXTERNAL)
    found = list(rows.select_related("series", "build", "base").order_by("id"))
    return sum(guarded(partial(_defer, row), f"deferring {row}") for row in found)


def suspicions_pass() -> int:
    """Ask the pass about every deferred suspicion whose series has a new point; returns how many moved."""
    rows = Suspicion.objects.filter(
        state="settled", trigger__kind=Job.Kind.EXTERNAL, evidence__has_key="later"
    )
    found = list(rows.select_related("series", "build").order_by("id"))
    return sum(guarded(partial(_look, row.pk), f"asking the pass about {row}") for row in found)


@transaction.atomic
def _defer(row: Suspicion) -> bool:
    seen = row.evidence
    moved = Suspicion.objects.filter(pk=row.pk, state="open").update(
        state="settled",
        settled_at=timezone.now(),
        evidence={**seen, "later": {"through": 0, "verdict": None}},
    )
    if not moved:
        return False
    told = [seen.get(name) for name in ("before", "after", "relative", "relative_low", "relative_high")]
    reason = f"it was measured elsewhere and cannot be run again, so {POINTS_LEAST} builds must show it"
    verdict_append(
        series=row.series,
        build=row.build,
        base=row.base,
        change=Change(*told),
        kind=Verdict.Kind.UNKNOWN,
        stage=STAGE,
        evidence={"screen": seen, "reason": reason},
        sentence=unknown_sentence(subject_of(series=row.series, build=row.build), reason=reason),
        detector=DETECTOR,
        parameters=_parameters(),
        data_sha256=data_digest(),
    )
    return True


@transaction.atomic
def _look(suspicion_id: int) -> bool:
    """Ask the pass once for each new point; the row is locked, so of two tasks the second finds it done."""
    row = (
        Suspicion.objects.select_for_update(of=("self",))
        .select_related("series", "build")
        .get(pk=suspicion_id)
    )
    later: dict[str, Any] = row.evidence.get("later", {})
    points = _points(row)
    place = row.build.ordinal
    if not later or not points or points[-1].ordinal <= later["through"]:
        return False
    if place is None:  # a force-push took the build away
        return _end(row)
    age = sum(point.ordinal >= place for point in points)
    if age < POINTS_LEAST:
        return _note(row, {**later, "through": points[-1].ordinal})
    found = _found(row, points, place)
    told = later["verdict"]
    if found is not None and told is None:
        told = _tell(row, points, found)
    elif found is None and (told is not None or age >= POINTS_MOST):
        _take_back(row, points, told, age)
        return _end(row)
    if age >= POINTS_MOST:
        return _end(row)
    return _note(row, {"through": points[-1].ordinal, "verdict": told})


def _points(row: Suspicion) -> list[Measurement]:
    """The newest stable points of the series that can be judged, in branch order."""
    samples = metric_get(row.series.metric).samples
    rows = Measurement.objects.filter(series_id=row.series_id, unstable=False, n__gte=samples)
    return list(rows.select_related("build").order_by("-ordinal")[:HISTORY])[::-1]


def _found(row: Suspicion, points: Sequence[Measurement], place: int) -> Found | None:
    """The change that the pass finds near the suspected build, in the suspected direction."""
    rule = rule_of(project_id=row.series.project_id)
    metric = rule.metric_of(metric_get(row.series.metric), case=row.series.case_label)
    index = next((i for i, point in enumerate(points) if point.ordinal >= place), len(points) - 1)
    values = [point.value for point in points]
    near = [
        change
        for change in changes_find(values, relevant=metric.relevant, grain=metric.grain)
        if abs(change.index - index) <= NEAR and change.index > 0
        and change.relative * row.evidence.get("relative", 0.0) > 0
    ]  # fmt: skip
    return max(near, key=lambda change: abs(change.score), default=None)


def _tell(row: Suspicion, points: Sequence[Measurement], found: Found) -> int:
    """Append the change at the build where the pass puts it, once; returns the verdict that tells it."""
    build, base = points[found.index].build, points[found.index - 1].build
    newest = Verdict.objects.filter(series_id=row.series_id, build=build).order_by("-id").first()
    if newest is not None and newest.kind in CHANGES:  # a neighbour's suspicion told it already
        return newest.pk
    metric = metric_get(row.series.metric)
    half = _INTERVAL * abs(found.relative / found.score) if found.score else 0.0
    change = Change(found.before, found.after, found.relative, found.relative - half, found.relative + half)
    worse = (found.relative > 0) == (metric.better == "lower")
    count = len(points) - found.index
    verdict = verdict_record(
        series=row.series,
        build=build,
        base=base,
        change=change,
        kind=Verdict.Kind.REGRESSED if worse else Verdict.Kind.IMPROVED,
        stage=STAGE,
        evidence={
            "screen": {name: value for name, value in row.evidence.items() if name != "later"},
            "score": found.score,
            "points": count,
            "certainty": f"measured elsewhere and not run again: {count} builds show it",
        },
        sentence=later_sentence(subject_of(series=row.series, build=build), change, builds=count),
        detector=DETECTOR,
        parameters=_parameters(),
        data_sha256=data_digest([point.value for point in points]),
    )
    # the screen goes on from the new level, wherever the pass put its beginning
    level_rebase(series_id=row.series_id)
    return verdict.pk


def _take_back(row: Suspicion, points: Sequence[Measurement], told: int | None, age: int) -> None:
    """More builds do not show it: `same`, about the build that was told of, or the suspected one."""
    first = Verdict.objects.select_related("build", "base").filter(pk=told or 0).first()
    build: Build = first.build if first else row.build
    seen = row.evidence
    change = (
        Change(first.before, first.after, first.relative, first.relative_low, first.relative_high)
        if first
        else Change(seen["before"], seen["after"], seen["relative"])
    )
    verdict_append(
        series=row.series,
        build=build,
        base=first.base if first else row.base,
        change=change,
        kind=Verdict.Kind.SAME,
        stage=STAGE,
        evidence={"points": age, **({"refutes": told} if told else {})},
        sentence=unmoved_sentence(subject_of(series=row.series, build=build), builds=age),
        detector=DETECTOR,
        parameters=_parameters(),
        data_sha256=data_digest([point.value for point in points]),
    )
    level_rebase(series_id=row.series_id)


def _note(row: Suspicion, later: dict[str, Any]) -> bool:
    Suspicion.objects.filter(pk=row.pk).update(evidence={**row.evidence, "later": later})
    return True


def _end(row: Suspicion) -> bool:
    """The answer stays: the pass is not asked again."""
    kept = {name: value for name, value in row.evidence.items() if name != "later"}
    Suspicion.objects.filter(pk=row.pk).update(evidence=kept)
    return True


def _parameters() -> dict[str, Any]:
    return {"score": SCORE, "points_least": POINTS_LEAST, "points_most": POINTS_MOST}
