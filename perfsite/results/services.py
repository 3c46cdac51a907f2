"""From a report to rows, once."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import transaction

from benchmarks.cases import Case
from benchmarks.report import Environment as EnvironmentFacts
from benchmarks.report import Measurement as Measured
from benchmarks.report import Remark
from benchmarks.report import Report as Body
from perfsite.core.errors import PerfsiteError
from perfsite.core.text import text_clean
from perfsite.results.artifacts import REPORT_NAME, artifact_store
from perfsite.results.environments import environment_split
from perfsite.results.metrics import metric_is_judged
from perfsite.results.models import Environment, Measurement, Report, Series
from perfsite.results.signals import report_stored
from perfsite.runs.cases import cases_of, origin_of
from perfsite.runs.lease import attempt_finish, attempt_get
from perfsite.runs.models import Attempt, Build, Job

# what of a report's body is kept in its row
_KEPT = {"outcomes", "stages", "remarks", "comparisons", "canary"}
# their order is part of every key: keep it
_KEY_FIELDS = ("branch", "device_class", "split", "model", "runner", "precision", "shape", "suite", "metric")
log = logging.getLogger(__name__)

_SHAPE_LONGEST = Series._meta.get_field("shape").max_length or 0


class ReportMismatchError(PerfsiteError):
    """The report is not about the job it was sent for."""


def report_store(*, token: UUID, body: Body, raw: bytes) -> bool:
    """Store an attempt's report; False when this very attempt's report is stored already.

    Everything or nothing: the attempt's end, the report, its points.  `raw` is the body as sent,
    kept whole as an artifact with its samples.

    Raises:
        SupersededError: another attempt took over; nothing is written.
        ReportMismatchError: the report tells of other cases than the job's; nothing is written.
    """
    if Report.objects.filter(attempt__token=token).exists():
        return False
    kept = ContentFile(gzip.compress(raw, mtime=0))
    with transaction.atomic():
        attempt = attempt_get(token=token)
        _check_matches(attempt.job, body)
        environment = environment_note(told=body.environment)
        report = _report_row(attempt, environment, body)
        if body.kind == "measure":
            points = _points_store(attempt=attempt, environment=environment, body=body)
            points_count(report, points)
        attempt_finish(attempt=attempt)
        artifact_store(attempt=attempt, name=REPORT_NAME, kind="report", content=kept)
        transaction.on_commit(partial(report_stored.send_robust, sender=Report, report_id=report.pk))
    ids = {"job": attempt.job_id, "attempt": attempt.number, "worker": attempt.worker.name}
    log.info("report stored", extra={**ids, "build": attempt.job.run.build_id})
    return True


def environment_note(*, told: EnvironmentFacts) -> Environment:
    """The environment row of a report's facts; equal facts share one."""
    facts = text_clean({"facts": told.facts, "missing": told.missing})
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    environment, _ = Environment.objects.get_or_create(
        sha256=digest, defaults={**facts, "split": environment_split(facts["facts"])}
    )
    return environment


def _check_matches(job: Job, body: Body) -> None:
    ordered = {case.origin for case in cases_of(job.spec)}
    told = {
        *(outcome.case for outcome in body.outcomes),
        *(measured.case for measured in body.measurements),
        *(comparison.case for comparison in body.comparisons),
    }
    strange = [case for case in told if case.origin not in ordered]
    kind = "compare" if job.kind == Job.Kind.COMPARE else "measure"
    if strange or (body.kind, body.model, body.precision) != (kind, job.model, job.precision):
        raise ReportMismatchError(
            f"the report is a {body.kind} of {body.model}/{body.precision} with {len(strange)} "
            f"cases that {job} does not have; a worker must report the order it got"
        )
    long = next((case for case in told if len(case.shape) > _SHAPE_LONGEST), None)
    if long is not None:
        raise ReportMismatchError(
            f"{long.label[:300]}: a shape has at most {_SHAPE_LONGEST} characters; use fewer options"
        )


def _report_row(attempt: Attempt, environment: Environment, body: Body) -> Report:
    plain = text_clean(body.model_dump(mode="json", include=_KEPT))
    return Report.objects.create(
        job=attempt.job, attempt=attempt, environment=environment, kind=body.kind, **plain
    )


def _points_store(*, attempt: Attempt, environment: Environment, body: Body) -> list[Measurement]:
    job = attempt.job
    build = Build.objects.select_for_update().get(pk=job.run.build_id)
    if build.ordinal is None:  # off the branch's line: the report stays with its job
        return []
    doubtful = _cases_unstable(body.remarks)
    ordered = cases_of(job.spec)
    told = body.measurements
    series = series_note(build=build, job=job, split=environment.split, told=told)
    rows = [
        Measurement(
            series=one,
            ordinal=build.ordinal,
            value=measured.value,
            ci_low=measured.ci_low,
            ci_high=measured.ci_high,
            n=measured.n,
            unstable=_is_unstable(measured.case, doubtful, ordered),
            build=build,
            job=job,
        )
        for one, measured in zip(series, told, strict=True)
    ]
    Measurement.objects.bulk_create(rows, ignore_conflicts=True)
    return rows


def points_count(report: Report, points: Sequence[Measurement]) -> None:
    """Note on the report what it gave to series."""
    report.points = len(points)
    report.judged = sum(metric_is_judged(point.series.metric) for point in points)
    report.unstable = sum(point.unstable for point in points)
    report.save(update_fields=["points", "judged", "unstable"])


def series_note(*, build: Build, job: Job, split: str, told: Sequence[Measured]) -> list[Series]:
    """The series of each measurement, in order, made when it is its first point; two queries for all."""
    names = ("model", "runner", "precision", "shape", "suite")
    rows = []
    for measured in told:
        fields = {name: getattr(measured.case, name) for name in names}
        rows.append(_series_fields(build, job.device_class, split, fields, measured.metric))
    keys = [series_key(project_id=build.project_id, fields=row) for row in rows]
    known = _series_by_key(keys)
    fresh = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
    if fresh:
        made = [Series(key=key, project_id=build.project_id, **row) for key, row in fresh.items()]
        Series.objects.bulk_create(made, ignore_conflicts=True)  # another report may make them just now
        known |= _series_by_key(list(fresh))
    return [known[key] for key in keys]


def _series_by_key(keys: Sequence[str]) -> dict[str, Series]:
    return {row.key: row for row in Series.objects.filter(key__in=keys)}


def _series_fields(
    build: Build, device_class: str, split: str, fields: Mapping[str, str], metric: str
) -> dict[str, str]:
    """All that a series is known by, but the project."""
    return {"branch": build.branch, "device_class": device_class, "split": split, **fields, "metric": metric}


def series_find_or_make(
    *, build: Build, device_class: str, split: str, fields: Mapping[str, str], metric: str
) -> Series:
    """The series of a case's `fields` (model, runner, precision, shape, suite, in this order) and metric."""
    row = _series_fields(build, device_class, split, fields, metric)
    key = series_key(project_id=build.project_id, fields=row)
    series, _ = Series.objects.get_or_create(key=key, defaults={"project_id": build.project_id, **row})
    return series


def series_key(*, project_id: int, fields: Mapping[str, str]) -> str:
    """The key of the series with these fields, named as in `series_note`."""
    text = json.dumps([project_id, *(fields[name] for name in _KEY_FIELDS)])
    return hashlib.sha256(text.encode()).hexdigest()


def _cases_unstable(remarks: Sequence[Remark]) -> set[Case | None]:
    """The cases whose numbers are in doubt; None stands for all of them."""
    return {remark.case for remark in remarks if remark.unstable}


def _is_unstable(case: Case, doubtful: set[Case | None], ordered: Sequence[Case]) -> bool:
    """Whether a doubt concerns this case, the case it is a point of, or the whole job."""
    return bool(doubtful) and not doubtful.isdisjoint((None, case, *origin_of(case, ordered)))
