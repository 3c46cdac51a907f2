"""Writing down what was decided: verdicts, and what follows from a change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction

from perfsite.regressions.answers import answers_judge
from perfsite.regressions.events import (
    event_append,
    fact_note,
    incident_again,
    incident_locked,
    incident_set,
)
from perfsite.regressions.gathering import incident_gather
from perfsite.regressions.models import Incident, Regression, SeriesState, Verdict
from perfsite.regressions.signals import incident_changed
from perfsite.regressions.subjects import subject_of
from perfsite.regressions.wording import Change
from perfsite.results.models import Series
from perfsite.runs.models import Build

__all__ = [
    "data_digest",
    "incident_join",
    "regression_open",
    "subject_of",
    "verdict_append",
    "verdict_record",
]


def data_digest(*columns: Sequence[float]) -> str:
    """SHA-256 of the numbers a verdict rests on, so that it can be checked against them later."""
    return hashlib.sha256(json.dumps([list(column) for column in columns]).encode()).hexdigest()


def verdict_append(
    *, series: Series, build: Build, base: Build | None, change: Change, kind: str, **fields: Any
) -> Verdict:
    """Append a verdict and nothing else; `fields` are its other columns."""
    return Verdict.objects.create(
        series=series,
        build=build,
        base=base,
        kind=kind,
        before=change.before,
        after=change.after,
        relative=change.relative,
        relative_low=change.low,
        relative_high=change.high,
        **fields,
    )


def verdict_record(
    *, series: Series, build: Build, base: Build | None, change: Change, kind: str, **fields: Any
) -> Verdict:
    """Append a verdict; a change starts a new level, a regression joins the build's incident.

    Call it in the transaction that settles the question.  `fields` are the verdict's other columns.
    """
    verdict = verdict_append(series=series, build=build, base=base, change=change, kind=kind, **fields)
    if kind not in (Verdict.Kind.REGRESSED, Verdict.Kind.IMPROVED):
        return verdict
    if build.ordinal is not None:
        SeriesState.objects.filter(series=series, level_start__lt=build.ordinal).update(
            level_start=build.ordinal
        )
    if kind == Verdict.Kind.REGRESSED and base is not None:
        regression_open(verdict=verdict, base=base)
    answers_judge(verdict=verdict)
    return verdict


def regression_open(*, verdict: Verdict, base: Build) -> Incident:
    """Put a regression of the code into the accused build's incident, which is opened when it is the first.

    Which one that is, also for ranges that overlap and for two tasks at once, is told in `gathering.py`.
    """
    incident, is_new = incident_gather(build=verdict.build, base=base)
    if is_new:
        event_append(incident=incident, code="opened", sentence=verdict.sentence)
    elif incident.kind == Incident.Kind.ENVIRONMENT:
        _accuse(incident, verdict)
    elif incident.withdrawn_at is not None:
        _reopen(incident, verdict)
    incident_join(incident=incident, verdict=verdict)
    return incident


def incident_join(*, incident: Incident, verdict: Verdict) -> None:
    """Put a series that got worse into an incident; once for a series and a build."""
    row, is_new = Regression.objects.get_or_create(
        series_id=verdict.series_id,
        build_id=verdict.build_id,
        defaults={"incident": incident, "verdict": verdict},
    )
    if not is_new:
        _verdict_renew(row, verdict)
        return
    if incident.told_at is not None:  # nobody is told twice; the page says what came later
        event_append(
            incident=incident, code="joined", sentence=f"Joined after it was told: {verdict.sentence}"
        )
    transaction.on_commit(partial(incident_changed.send_robust, sender=Incident, incident_id=incident.pk))


def _accuse(incident: Incident, verdict: Verdict) -> None:
    """The build of an environment's incident made something worse itself: the code goes first from now on."""
    row = incident_locked(incident_id=incident.pk)
    if row.kind != Incident.Kind.ENVIRONMENT:
        return
    known = row.facts.get("environment")
    if known:
        fact_note(incident=row, topic="environments", fact=[known])
    row.facts.pop("headline", None)
    incident_set(incident=row, kind=Incident.Kind.CODE, facts=row.facts)
    event_append(incident=row, code="accused", sentence=f"Not the environment alone: {verdict.sentence}")


def _reopen(incident: Incident, verdict: Verdict) -> None:
    """A withdrawn incident whose build made something else worse: it stands again."""
    row = incident_locked(incident_id=incident.pk)
    if row.withdrawn_at is None:  # somebody was first
        return
    sentence = f"Stands again: {verdict.sentence}"
    incident_again(incident=row, sentence=sentence, withdrawn_at=None, withdrawn_reason="")
    event_append(incident=row, code="reopened", sentence=sentence)


def _verdict_renew(regression: Regression, verdict: Verdict) -> None:
    """Of a regression that was refuted since, the verdict that found it again is the one that is told."""
    since = Verdict.objects.filter(
        series_id=verdict.series_id,
        build_id=verdict.build_id,
        id__gt=regression.verdict_id,
        id__lt=verdict.pk,
    )
    if since.filter(kind=Verdict.Kind.SAME).exists():
        Regression.objects.filter(pk=regression.pk).update(verdict=verdict)
