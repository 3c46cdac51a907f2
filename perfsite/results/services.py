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
from benchmarks.report import Remark
from benchmarks.report import Report as Body
from perfsite.core.errors import PerfsiteError, SupersededError
from perfsite.core.text import text_clean
from perfsite.results.artifacts import REPORT_NAME, artifact_store
from perfsite.results.environments import environment_split
from perfsite.results.models import Environment, Report, Series
from perfsite.results.points import Point, points_counted, points_insert
from perfsite.results.series import series_fields, series_note
from perfsite.results.signals import report_stored
from perfsite.runs.cases import cases_of, origin_of
from perfsite.runs.lease import attempt_finish, attempt_get
from perfsite.runs.models import Attempt, Build, Job

# what of a report's body is kept in its row
_KEPT = {"outcomes", "stages", "remarks", "comparisons", "canary"}
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
    kept = ContentFile(gzip.compress(raw, compresslevel=6, mtime=0))
    try:
        attempt = _everything_store(token, body, kept)
    except SupersededError:  # also when it was this very report that ended the attempt
        if Report.objects.filter(attempt__token=token).exists():
            return False
        raise
    ids = {"job": attempt.job_id, "attempt": attempt.number, "worker": attempt.worker.name}
    log.info("report stored", extra={**ids, "build": attempt.job.run.build_id})
    return True


@transaction.atomic
def _everything_store(token: UUID, body: Body, kept: ContentFile) -> Attempt:
    attempt = attempt_get(token=token)
    _check_matches(attempt.job, body)
    environment = environment_note(told=body.environment)
    points = _points_of(attempt, environment, body)
    metrics = [measured.metric for measured in body.measurements] if points else []
    report = _report_row(attempt, environment, body, points_counted(points, metrics))
    points_insert(points)
    attempt_finish(attempt=attempt)
    artifact_store(attempt=attempt, name=REPORT_NAME, kind="report", content=kept)
    transaction.on_commit(partial(report_stored.send_robust, sender=Report, report_id=report.pk))
    return attempt


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


def _report_row(attempt: Attempt, environment: Environment, body: Body, counted: Mapping[str, int]) -> Report:
    plain = text_clean(body.model_dump(mode="json", include=_KEPT))
    return Report.objects.create(
        job=attempt.job, attempt=attempt, environment=environment, kind=body.kind, **plain, **counted
    )


def _points_of(attempt: Attempt, environment: Environment, body: Body) -> list[Point]:
    """The points of a measure job's report; none where the build is off the branch's line."""
    job = attempt.job
    if body.kind != "measure":
        return []
    build = Build.objects.select_for_update().get(pk=job.run.build_id)
    if build.ordinal is None:  # the report stays with its job
        return []
    rows = [
        series_fields(
            build=build,
            device_class=job.device_class,
            split=environment.split,
            case=measured.case,
            metric=measured.metric,
        )
        for measured in body.measurements
    ]
    series = series_note(project_id=build.project_id, rows=rows)
    doubtful = _cases_unstable(body.remarks)
    ordered = cases_of(job.spec)
    return [
        Point(
            one,
            build.ordinal,
            measured.value,
            measured.ci_low,
            measured.ci_high,
            measured.n,
            _is_unstable(measured.case, doubtful, ordered),
            build.pk,
            job.pk,
        )
        for one, measured in zip(series, body.measurements, strict=True)
    ]


def _cases_unstable(remarks: Sequence[Remark]) -> set[Case | None]:
    """The cases whose numbers are in doubt; None stands for all of them."""
    return {remark.case for remark in remarks if remark.unstable}


def _is_unstable(case: Case, doubtful: set[Case | None], ordered: Sequence[Case]) -> bool:
    """Whether a doubt concerns this case, the case it is a point of, or the whole job."""
    return bool(doubtful) and not doubtful.isdisjoint((None, case, *origin_of(case, ordered)))
