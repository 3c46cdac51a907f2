"""Incidents of the machine and its toolchain: the code is innocent, but the level moved and stays moved.

A comparison found no change, or none likelier than one.  Its attribution waits until the points tell how
the level went on:

    waiting --> moved      clock, canary or facts explain it, or two later points agree that nothing
                           disturbed, far from any change of the code: the level begins anew
       +------> returned   four later points, or a newer level, and it did not stay moved
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Any

from django.db import transaction

from benchmarks.metrics import metric_get
from perfsite.regressions.attribution import Attributed, Evidence, attribute
from perfsite.regressions.attribution.words import bits_words
from perfsite.regressions.causes.witnesses import AFTER_POINTS, evidence_gather
from perfsite.regressions.changes import data_digest, incident_join, subject_of, verdict_append
from perfsite.regressions.events import event_append, fact_note, incident_locked
from perfsite.regressions.guard import guarded
from perfsite.regressions.levels import CHANGES, level_rebase, level_starts
from perfsite.regressions.models import Attribution, Incident, Regression, Verdict
from perfsite.regressions.wording import Change, change_words, environment_sentence, moved_sentence
from perfsite.results.models import Measurement
from perfsite.runs.models import Project

DETECTOR = "environment/1"
AGREEING = 2  # later points that agree settle it without any witness of the machine
NEAR = 3  # builds by which the screen may misplace a change
CODE_SHARE = 0.5  # of the history's change: what the pairs may leave to the code that is called innocent
RETURNED_AFTER = 4  # later points; a level that has not stayed moved by then never did


def environments_settle() -> int:
    """Settle the refuted suspicions that wait for later points; returns how many were."""
    waiting = Attribution.objects.filter(facts__level="waiting").select_related(
        "verdict__series", "verdict__build__project", "verdict__base"
    )
    return sum(
        guarded(partial(level_settle, attribution=row), f"looking how the level went on after {row.verdict}")
        for row in waiting.order_by("verdict__build__ordinal", "id")
    )


def level_settle(*, attribution: Attribution) -> bool:
    """Say how the level went on after a refuted suspicion, once; False while it cannot be said."""
    verdict = attribution.verdict
    seen = _seen(verdict)
    if attribution.facts.get("seen") == seen:  # nothing new: the reports need not be read again
        return False
    evidence = evidence_gather(verdict=verdict)
    found = attribute(evidence) if evidence else None
    answer = _went_on(verdict, evidence, found) if evidence and found else "returned"
    with transaction.atomic():
        row = Attribution.objects.select_for_update(of=("self",)).get(pk=attribution.pk)
        if row.facts.get("level") != "waiting":
            return False
        row.facts = {**row.facts, "level": answer, "seen": seen}
        if answer == "moved" and evidence and found:
            row.total, row.parts = found.total, found.parts_json()
            row.facts |= {"low": found.low, "high": found.high, "machine": list(found.machine)}
            _level_move(verdict, evidence, found)
        row.save(update_fields=["facts", "total", "parts"])
    return answer != "waiting"


def _seen(verdict: Verdict) -> list[int]:
    """What an answer depends on: how many points there are since, and where levels begin."""
    ordinal = verdict.build.ordinal or 0
    points = Measurement.objects.filter(series_id=verdict.series_id, ordinal__gte=ordinal)
    later = (place for place in level_starts(series_id=verdict.series_id) if place >= ordinal)
    return [min(points.count(), AFTER_POINTS), *later]


def _went_on(verdict: Verdict, evidence: Evidence, found: Attributed) -> str:
    """How the level went on: moved, returned, or waiting for more points."""
    later = evidence.after[1:]
    metric = metric_get(verdict.series.metric)
    shift = math.log1p(found.total)
    is_moved = (found.low > 0 or found.high < 0) and abs(found.total) > metric.relevant
    is_moved = is_moved and _is_innocent(verdict, found)
    agreeing = sum(
        math.log(value / median(evidence.before)) / shift > 0.5 for value in later if shift and value > 0
    )
    is_witnessed = found.is_machine and agreeing >= len(later) / 2
    if is_moved and (is_witnessed or (agreeing >= AGREEING and _is_plain(verdict))):
        return "moved"
    ordinal = verdict.build.ordinal or 0
    is_over = any(place > ordinal for place in level_starts(series_id=verdict.series_id))
    return "returned" if is_over or len(later) >= RETURNED_AFTER else "waiting"


def _is_plain(verdict: Verdict) -> bool:
    """Whether later points may tell it alone, without clock, canary or a fact that says what changed.

    The pairs must bound the code's part, the points be undisturbed (a busy machine is no other machine),
    and no change of the model's code lie so near that the screen may have put it at the wrong build.
    """
    series, place = verdict.series, verdict.build.ordinal or 0
    points = Measurement.objects.filter(series_id=series.pk, ordinal__gte=place, unstable=False)
    near = Verdict.objects.filter(
        build__project_id=verdict.build.project_id,
        build__branch=verdict.build.branch,
        build__ordinal__range=(place - NEAR, place + NEAR),
        series__model=series.model,
        series__device_class=series.device_class,
        kind__in=CHANGES,
        stage__in=("confirmation", "screen"),
    )
    return verdict.kind == Verdict.Kind.SAME and points.count() > AGREEING and not near.exists()


def _is_innocent(verdict: Verdict, found: Attributed) -> bool:
    """Whether the pairs leave the code less than half of what the history shows.

    `same` may be said of a good part of it where only a large change matters; pairs that were left early
    have no interval yet, and no change was the likelier one.
    """
    bound = verdict.relative_high if found.total > 0 else verdict.relative_low
    bound = verdict.relative if bound is None else bound
    return bound > -1 and math.log1p(bound) / math.log1p(found.total) < CODE_SHARE


def _level_move(verdict: Verdict, evidence: Evidence, found: Attributed) -> None:
    """Append the environment's verdict, begin the level anew, open or join the incident when it got worse."""
    series = verdict.series
    change = Change(median(evidence.before), median(evidence.after), found.total, found.low, found.high)
    worse = (found.total > 0) == (metric_get(series.metric).better == "lower")
    code = change_words(Change(0, 0, verdict.relative, verdict.relative_low, verdict.relative_high))
    innocent = f"{code} over {verdict.evidence.get('pairs', 0)} pairs"
    certainty = (
        f"{len(evidence.after)} builds in a row show it; their code is innocent: {innocent}"
        if len(evidence.after) > 1
        else f"seen in one build so far; its code is innocent: {innocent}"
    )
    appended = verdict_append(
        series=series,
        build=verdict.build,
        base=verdict.base,
        job_id=verdict.job_id,
        change=change,
        kind=Verdict.Kind.REGRESSED if worse else Verdict.Kind.IMPROVED,
        stage="environment",
        evidence={"certainty": certainty, "refuted": verdict.pk, "machine": list(found.machine)},
        sentence=moved_sentence(
            subject_of(series=series, build=verdict.build), change, machine=found.machine
        ),
        detector=DETECTOR,
        parameters={"agreeing": AGREEING, "returned_after": RETURNED_AFTER},
        data_sha256=data_digest(evidence.before, evidence.after),
    )
    level_rebase(series_id=series.pk)
    headline = environment_sentence(
        subject_of(series=series, build=verdict.build),
        machine=found.machine,
        bits=bits_words(evidence),
        innocent=innocent,
        history=change_words(change),
    )
    if worse:
        _incident_note(appended, found, headline)


def _incident_note(verdict: Verdict, found: Attributed, sentence: str) -> None:
    """Put a series that the environment made worse into its incident: one for a device class and a range."""
    # of two tasks at once the second joins what the first opened, at whichever build
    Project.objects.select_for_update().get(pk=verdict.build.project_id)
    incident = _incident_find(verdict)
    if incident is None and verdict.base is not None:
        incident, is_new = Incident.objects.exclude(kind=Incident.Kind.SERVICE).get_or_create(
            build=verdict.build,
            defaults={
                "project_id": verdict.build.project_id,
                "range_start": verdict.base,
                "kind": Incident.Kind.ENVIRONMENT,
                "state": "environment",
            },
        )
        if is_new:
            event_append(incident=incident, code="opened", sentence=sentence)
    if incident is None:
        return
    incident = incident.merged_into or incident
    incident = incident_locked(incident_id=incident.pk)
    fact = _fact(verdict, found, sentence)
    if incident.kind == Incident.Kind.CODE:
        _fact_tell(incident, fact)
        return
    if "environment" not in incident.facts:
        fact_note(incident=incident, topic="environment", fact=fact)
        fact_note(incident=incident, topic="headline", fact=sentence)
    incident_join(incident=incident, verdict=verdict)


def _incident_find(verdict: Verdict) -> Incident | None:
    """The open environment incident of this device class whose range overlaps the verdict's, if any."""
    build, base = verdict.build, verdict.base
    told = Regression.objects.filter(
        incident__kind=Incident.Kind.ENVIRONMENT,
        incident__withdrawn_at=None,
        incident__merged_into=None,
        incident__build__branch=build.branch,
        incident__build__ordinal__gt=base.ordinal if base else 0,
        incident__range_start__ordinal__lt=build.ordinal,
        incident__project_id=build.project_id,
        series__device_class=verdict.series.device_class,
    )
    found = told.select_related("incident").order_by("incident_id").first()
    return found.incident if found else None


def environment_told(*, incident_id: int, verdict: Verdict, found: Attributed) -> None:
    """Tell, as a fact of a code incident, what part of its change the environment has."""
    parts = [
        part for part in found.parts if part.cause in ("clock", "machine", "toolchain") and part.relative
    ]
    size = sum(part.relative or 0.0 for part in parts)
    words = change_words(Change(0, 0, size))
    whole = change_words(Change(0, 0, found.total))
    sentence = (
        f"{words} of the {whole} that the history of {verdict.series.label} shows is the environment's: "
        f"{'; '.join(found.machine)}."
    )
    _fact_tell(incident_locked(incident_id=incident_id), _fact(verdict, found, sentence))


def _fact_tell(incident: Incident, fact: dict[str, Any]) -> None:
    """Note a fact of the environment on a code incident, the first of its device class with an event."""
    known: Sequence[dict[str, Any]] = incident.facts.get("environments", [])
    if any(one["device_class"] == fact["device_class"] for one in known):
        return
    fact_note(incident=incident, topic="environments", fact=[*known, fact])
    event_append(incident=incident, code="environment", sentence=fact["sentence"])


def _fact(verdict: Verdict, found: Attributed, sentence: str) -> dict[str, Any]:
    return {
        "device_class": verdict.series.device_class,
        "machine": list(found.machine),
        "differences": [list(one) for one in found.differences],
        "total": found.total,
        "sentence": sentence,
    }
