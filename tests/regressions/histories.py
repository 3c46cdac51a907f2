"""Builds whose reports repeat another build's but for the values: rows in bulk, for a history to be there."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from copy import copy
from datetime import timedelta
from typing import TypeVar

from django.db.models import Model
from django.db.models.base import ModelState

from perfsite.results.models import Artifact, Measurement, Report
from perfsite.runs.models import Build, Job, Run

Row = TypeVar("Row", bound=Model)


def builds_repeat(
    first: Build, factors: Sequence[float], *, values: Sequence[float] | None = None
) -> list[Build]:
    """Builds behind `first` with its reports, every value of it multiplied by one of `factors`.

    With `values` every point of a build has that value instead: zero has no factor.

    A tenth of the time that as many reports take by the site's own way, which made the first.
    """
    places = [first.ordinal + number for number in range(1, len(factors) + 1)]
    builds = _stored(
        _clone(
            first,
            ordinal=place,
            sha=hashlib.sha1(f"{first.project.slug}{place}".encode()).hexdigest(),
            subject=f"commit {place}",
            received_at=first.received_at + timedelta(minutes=place - first.ordinal),
        )
        for place in places
    )
    for run in Run.objects.filter(build=first):
        runs = _stored(_clone(run, build=build) for build in builds)
        for job in Job.objects.filter(run=run).order_by("id"):
            _job_repeat(job, runs, builds, factors)
    if values is not None:
        for build, value in zip(builds, values, strict=True):
            Measurement.objects.filter(build=build).update(value=value)
    return builds


def _job_repeat(job: Job, runs: list[Run], builds: list[Build], factors: Sequence[float]) -> None:
    jobs = _stored(_clone(job, run=run) for run in runs)
    report = Report.objects.get(job=job)
    attempts = _stored(_clone(report.attempt, job=one, token=uuid.uuid4()) for one in jobs)
    _stored(_clone(report, job=at.job, attempt=at, screened_at=None) for at in attempts)
    points = Measurement.objects.filter(job=job).order_by("id")
    _stored(
        _clone(point, job=one, build=build, ordinal=build.ordinal, value=point.value * factor)
        for one, build, factor in zip(jobs, builds, factors, strict=True)
        for point in points
    )
    _stored(_clone(file, job=one) for one in jobs for file in Artifact.objects.filter(job=job))


def _clone(row: Row, **fields: object) -> Row:
    made = copy(row)
    made.pk, made._state = None, ModelState()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _stored(rows: Iterable[Row]) -> list[Row]:
    made = list(rows)
    return type(made[0]).objects.bulk_create(made) if made else []
