"""Service levels: what a case must keep, judged on every report; a breach is an incident by itself.

Judged is the newest build of each series.  One incident per level and branch is open at a time: further
series that breach it join, and it is fixed by itself once all of them meet it again, or none is asked for it
any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from perfsite.regressions.events import (
    event_append,
    fact_note,
    incident_again,
    incident_locked,
    incident_set,
)
from perfsite.regressions.level_words import breach_sentence, met_sentence
from perfsite.regressions.models import Incident, LevelStanding
from perfsite.regressions.signals import incident_changed
from perfsite.results.models import Measurement, Series
from perfsite.runs.models import Build, Job, Project

Level = Mapping[str, Any]
"""A service level as a job's order holds it: `key`, `metric`, `direction`, `bound`, and what it is about."""


def levels_judge(*, job: Job) -> int:
    """Judge the points of a measure job by the service levels of its own commit; returns how many there were.

    Called again it changes nothing; a report of an older build than the one judged last is history.
    """
    levels: Sequence[Level] = job.spec.get("levels", ())
    points = list(_points(job))
    asked = [(point, level) for point in points for level in levels if level_concerns(level, point.series)]
    if not asked and not _left_over(points, ()):
        return 0
    with transaction.atomic():
        # of two tasks at once the second joins what the first opened
        Project.objects.select_for_update().get(pk=job.run.build.project_id)
        touched = [_judge(point, level) for point, level in asked]
        keys = {(point.series_id, level["key"]) for point, level in asked}
        touched += [_drop(row, job) for row in _left_over(points, keys)]
        for incident_id in sorted({key for key in touched if key is not None}):
            _settle(incident_id, job.run.build)
    return len(asked)


def _points(job: Job) -> Iterable[Measurement]:
    return Measurement.objects.filter(job=job).select_related("series", "build").order_by("series_id")


def level_concerns(level: Level, series: Series) -> bool:
    """Whether a level is about this series: whatever it does not name may be anything."""
    places = {"device": series.device_class, "metric": series.metric}
    for name in ("metric", "model", "runner", "precision", "shape", "suite", "device"):
        wanted = level.get(name)
        if wanted is not None and wanted != places.get(name, getattr(series, name, None)):
            return False
    return True


def level_is_met(level: Level, value: float) -> bool:
    """Whether a value, in the metric's unit, keeps the bound; the bound itself does."""
    is_kept: bool = value <= level["bound"] if level["direction"] == "at_most" else value >= level["bound"]
    return is_kept


def _judge(point: Measurement, level: Level) -> int | None:
    """Bring one standing up to date; the incident that is concerned, if any."""
    is_met = level_is_met(level, point.value)
    told = {
        "direction": level["direction"],
        "bound": level["bound"],
        "value": point.value,
        "is_met": is_met,
        "ordinal": point.ordinal,
        "build": point.build,
        "job_id": point.job_id,
    }
    row, is_new = LevelStanding.objects.get_or_create(series=point.series, level=level["key"], defaults=told)
    if not is_new:
        if row.ordinal > point.ordinal or (row.job_id == point.job_id and row.bound == level["bound"]):
            return None
        if row.is_met != is_met:
            row.since = timezone.now()
        for name, value in told.items():
            setattr(row, name, value)
    if not is_met and row.incident_id is None:
        row.incident = _incident_of(row)
    row.save()
    return row.incident_id


def _incident_of(row: LevelStanding) -> Incident:
    """The open breach of this level on this branch, or a new one; the same build's is opened again."""
    build = row.build
    breaches = Incident.objects.filter(
        project_id=build.project_id, kind=Incident.Kind.SERVICE, level=row.level, build__branch=build.branch
    )
    found = breaches.filter(fixed_at=None).order_by("id").first() or breaches.filter(build=build).first()
    sentence = breach_sentence(row.series, value=row.value, bound=row.bound, direction=row.direction)
    if found is None:
        found = Incident.objects.create(
            project_id=build.project_id,
            build=build,
            range_start=_met_before(row) or build,
            kind=Incident.Kind.SERVICE,
            level=row.level,
            facts={"headline": sentence},
        )
        event_append(incident=found, code="opened", sentence=f"{sentence} Seen at {build.short}.")
    elif not _breach_again(found, sentence):
        event_append(incident=found, code="joined", sentence=f"{sentence} Seen at {build.short}.")
    transaction.on_commit(partial(incident_changed.send_robust, sender=Incident, incident_id=found.pk))
    return found


def _breach_again(incident: Incident, sentence: str) -> bool:
    """Whether the breach was over: the very build that it began with breaches the level again."""
    row = incident_locked(incident_id=incident.pk)
    if row.fixed_at is None:
        return False
    # that it was fixed is refuted; any other word of a person stands
    override = "" if row.override == "fixed" else row.override
    told = f"Breached again: {sentence}"
    incident_again(incident=row, sentence=told, fixed_at=None, override=override)
    event_append(incident=row, code="reopened", sentence=told)
    return True


def _met_before(row: LevelStanding) -> Build | None:
    """The build that was measured last before it, when it met the bound; None when nothing is known."""
    before = Measurement.objects.filter(series=row.series, ordinal__lt=row.ordinal).order_by("-ordinal")
    point = before.select_related("build").first()
    if point is None:
        return None
    met = point.value <= row.bound if row.direction == "at_most" else point.value >= row.bound
    return point.build if met else None


def _left_over(points: Sequence[Measurement], keys: Iterable[tuple[int, str]]) -> list[LevelStanding]:
    """Standings of these series that an older build was asked for and this one is not."""
    places = {point.series_id: point.ordinal for point in points}
    kept = set(keys)
    rows = LevelStanding.objects.filter(series_id__in=list(places))
    return [
        row for row in rows if (row.series_id, row.level) not in kept and row.ordinal < places[row.series_id]
    ]


def _drop(row: LevelStanding, job: Job) -> int | None:
    """Nobody asks for this level any more."""
    if row.incident is not None:
        sentence = f"perfsite.toml of {job.run.build.short} asks for it no more, of {row.series.label}."
        event_append(incident=row.incident, code="dropped", sentence=sentence)
    row.delete()
    return row.incident_id


def _settle(incident_id: int, build: Build) -> None:
    """Close the breach when no series breaches the level any more; else keep its first sentence true."""
    incident = incident_locked(incident_id=incident_id)
    rows = list(incident.standings.select_related("series").order_by("id"))
    breached = [row for row in rows if not row.is_met]
    if breached:
        _claim_refute(incident, breached, build)
        worst = max(breached, key=lambda row: _excess(row))
        more = f" ({len(breached) - 1} more series breach it.)" if len(breached) > 1 else ""
        sentence = breach_sentence(
            worst.series, value=worst.value, bound=worst.bound, direction=worst.direction
        )
        fact_note(incident=incident, topic="headline", fact=f"{sentence}{more}")
        return
    if rows:
        _met_note(incident, rows, build)
    incident_set(incident=incident, fixed_at=timezone.now())
    LevelStanding.objects.filter(incident=incident).update(incident=None)


def _claim_refute(incident: Incident, breached: Sequence[LevelStanding], build: Build) -> None:
    """A person called it fixed and a later build breaches it still: the word is taken back."""
    claim = incident.facts.get("fix_claimed")
    if incident.override != "fixed" or not claim:
        return
    later = [row for row in breached if row.ordinal > claim["through"].get(str(row.series_id), 0)]
    if later:
        incident_set(incident=incident, override="confirmed")
        fact_note(incident=incident, topic="fix_claimed", fact=None)
        sentence = f"Not fixed: {later[0].series.label} breaches the level at {build.short}; confirmed again."
        event_append(incident=incident, code="not_fixed", sentence=sentence)


def _met_note(incident: Incident, rows: Sequence[LevelStanding], build: Build) -> None:
    """That it is met again; of what nobody asks for any more nothing is said but that."""
    told = [
        met_sentence(row.series, value=row.value, bound=row.bound, direction=row.direction) for row in rows
    ]
    event_append(
        incident=incident, code="met", sentence=" ".join([f"Met again at {build.short}.", *told[:3]])
    )


def _excess(row: LevelStanding) -> float:
    """By how much the bound is missed, as a share of it."""
    size = abs(row.bound) or 1.0
    return abs(row.value - row.bound) / size
