"""Results that were measured elsewhere: a build, a run, a job that nobody claims, a report and its points."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from benchmarks.report import Environment as EnvironmentFacts
from perfsite.results.artifacts import REPORT_NAME, file_keep
from perfsite.results.environments import environment_split
from perfsite.results.models import Artifact, Measurement, Report
from perfsite.results.points import Point, points_counted, points_insert
from perfsite.results.series import series_fields, series_note
from perfsite.results.services import environment_note
from perfsite.results.signals import report_stored
from perfsite.runs.commits import Commit
from perfsite.runs.models import Build, Job, Project, Run
from perfsite.runs.placing import build_place
from perfsite.runs.services import run_refresh

SPLIT = "elsewhere"
"""How the series' split begins: numbers from elsewhere never mix with those of our own workers."""


@dataclass(frozen=True)
class Value:
    """One measured value, in the metric's unit, with what names its series."""

    model: str
    runner: str
    precision: str
    shape: str
    suite: str
    metric: str
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    n: int = 1
    unstable: bool = False


@dataclass(frozen=True)
class Results:
    """What was measured of a commit, where, by which program."""

    commit: Commit
    branch: str
    ordinal: int | None
    device_class: str
    generator: str
    environment: EnvironmentFacts
    values: Sequence[Value]


@dataclass(frozen=True)
class Accepted:
    """What became of results: `stored` is false when the very same body was sent before.

    `points` were new; `known` had a point of this build already, which stays.
    """

    build: Build
    job: Job
    stored: bool
    points: int
    known: int


def results_store(*, project: Project, results: Results, raw: bytes) -> Accepted:
    """Store results, everything or nothing; `raw` is the body as sent, which is kept as an artifact.

    Raises:
        ConflictError: as `build_place`.
    """
    digest = hashlib.sha256(raw).hexdigest()
    kept = ContentFile(gzip.compress(raw, mtime=0))
    with transaction.atomic():
        build = build_place(
            project=project, branch=results.branch, commit=results.commit, ordinal=results.ordinal
        )
        run, _ = Run.objects.get_or_create(build=build, device_class=results.device_class)
        before = run.jobs.filter(kind=Job.Kind.EXTERNAL, spec__sha256=digest).first()
        if before is not None:
            return Accepted(build, before, False, 0, len(results.values))
        job = _job_make(run, results, digest)
        rows = list(_points_of(build, job, results).values())
        points = [point for point, _ in rows]
        report = Report.objects.create(
            job=job,
            environment=environment_note(told=results.environment),
            kind="measure",
            **points_counted(points, [metric for _, metric in rows]),
        )
        points_insert(points)
        _body_keep(job, kept)
        run_refresh(run_id=run.pk)
        transaction.on_commit(partial(report_stored.send_robust, sender=Report, report_id=report.pk))
    return Accepted(build, job, True, len(rows), len(results.values) - len(rows))


def _job_make(run: Run, results: Results, digest: str) -> Job:
    """The job that carries the report: done from its beginning, its models by name."""
    now: datetime = timezone.now()
    models = sorted({value.model for value in results.values})
    precisions = {value.precision for value in results.values}
    return Job.objects.create(
        run=run,
        kind=Job.Kind.EXTERNAL,
        device_class=run.device_class,
        model=models[0] if len(models) == 1 else f"{len(models)} models",
        precision=precisions.pop() if len(precisions) == 1 else "",
        spec={"generator": results.generator, "sha256": digest},
        state="done",
        progress={"stage": "done", "fraction": 1.0},
        started_at=now,
        ended_at=now,
    )


def _points_of(build: Build, job: Job, results: Results) -> dict[int, tuple[Point, str]]:
    """The points of those series that have none of this build, by series, each with its metric."""
    if build.ordinal is None:
        return {}
    where = environment_split(results.environment.facts)
    split = f"{SPLIT}, {where}"[:200] if where else SPLIT
    rows = [
        series_fields(
            build=build, device_class=results.device_class, split=split, case=value, metric=value.metric
        )
        for value in results.values
    ]
    points: dict[int, tuple[Point, str]] = {}
    series = series_note(project_id=build.project_id, rows=rows)
    for one, value in zip(series, results.values, strict=True):
        point = Point(
            one,
            build.ordinal,
            value.value,
            value.ci_low,
            value.ci_high,
            value.n,
            value.unstable,
            build.pk,
            job.pk,
        )
        points.setdefault(one, (point, value.metric))
    known = Measurement.objects.filter(series_id__in=list(points), ordinal=build.ordinal)
    for series_id in known.values_list("series_id", flat=True):
        del points[series_id]
    return points


def _body_keep(job: Job, kept: ContentFile) -> None:
    digest = hashlib.sha256(kept.read()).hexdigest()
    kept.seek(0)
    row = Artifact(job=job, name=REPORT_NAME, kind="results", sha256=digest, size=kept.size)
    row.file = file_keep(row, kept)
    row.save()
