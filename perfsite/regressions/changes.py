"""Writing down what was decided: verdicts, and what follows from a change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction

from perfsite.regressions.models import Incident, Regression, SeriesState, Verdict
from perfsite.regressions.signals import incident_changed
from perfsite.regressions.wording import Change, Subject
from perfsite.results.models import Series
from perfsite.runs.models import Build


def subject_of(*, series: Series, build: Build) -> Subject:
    """The facts a sentence needs about a build and a series."""
    return Subject(
        sha=build.short,
        model=series.model,
        runner=series.runner,
        precision=series.precision,
        shape=series.shape,
        device_class=series.device_class,
        metric=series.metric,
    )


def data_digest(*columns: Sequence[float]) -> str:
    """SHA-256 of the numbers a verdict rests on, so that it can be checked against them later."""
    return hashlib.sha256(json.dumps([list(column) for column in columns]).encode()).hexdigest()


def verdict_record(
    *, series: Series, build: Build, base: Build | None, change: Change, kind: str, **fields: Any
) -> Verdict:
    """Append a verdict; a change starts a new level, a regression joins the build's incident.

    Call it in the transaction that settles the question.  `fields` are the verdict's other columns.
    """
    verdict = Verdict.objects.create(
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
    if kind in (Verdict.Kind.REGRESSED, Verdict.Kind.IMPROVED) and build.ordinal is not None:
        SeriesState.objects.filter(series=series, level_start__lt=build.ordinal).update(
            level_start=build.ordinal
        )
    if kind == Verdict.Kind.REGRESSED and base is not None:
        regression_open(verdict=verdict, base=base)
    return verdict


def regression_open(*, verdict: Verdict, base: Build) -> Incident:
    """Put a regression into the accused build's incident, which is opened when it is the first.

    The build is unique among incidents: of two tasks at once the second joins the first's.
    """
    build = verdict.build
    incident, _ = Incident.objects.get_or_create(
        build=build, defaults={"project_id": build.project_id, "range_start": base}
    )
    Regression.objects.get_or_create(
        series_id=verdict.series_id, build=build, defaults={"incident": incident, "verdict": verdict}
    )
    transaction.on_commit(partial(incident_changed.send_robust, sender=Incident, incident_id=incident.pk))
    return incident
