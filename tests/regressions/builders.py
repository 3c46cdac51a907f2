"""Histories of builds whose reports come home by the site's own way, and comparisons that decide them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from benchmarks.cases import Case
from benchmarks.compare import compare_pairs
from benchmarks.metrics import metric_get
from benchmarks.report import Comparison, Environment, Remark
from benchmarks.report import Report as Body
from perfsite.results.models import Report
from perfsite.results.services import report_store
from perfsite.runs.models import Attempt, Build, Job, Project
from tests import factories
from tests.regressions.histories import builds_repeat
from tests.reports import measured_make

START = datetime(2026, 1, 1, tzinfo=UTC)

# a quiet level: about 1 % of noise
QUIET = (1.00, 1.012, 0.994, 1.006, 0.991, 1.003, 1.009, 0.997)


def build_make(project: Project, ordinal: int | None, **fields: object) -> Build:
    """A planned build, received one minute after the one before it."""
    received = START + timedelta(minutes=ordinal or 0)
    return factories.build_make(project, ordinal, **{"received_at": received, **fields})


def job_attempt(job: Job) -> Attempt:
    """A worker is measuring `job`."""
    worker = factories.worker_make()
    number = job.attempts.count() + 1
    Job.objects.filter(pk=job.pk).update(state="running", tries=number)
    job.refresh_from_db()
    return Attempt.objects.create(
        job=job, number=number, worker=worker, lease_expires_at=timezone.now() + timedelta(minutes=1)
    )


def job_report(job: Job, **parts: object) -> Report:
    """Store a report of `job` with these parts, as the API does."""
    body = Body(
        kind="compare" if job.kind == Job.Kind.COMPARE else "measure",
        created_at=START,
        generator="tests",
        model=job.model,
        source=job.spec["source"],
        precision=job.precision,
        environment=Environment(facts={"cpu_model": "A processor"}),
        **parts,
    )
    assert report_store(token=job_attempt(job).token, body=body, raw=body.model_dump_json().encode())
    return Report.objects.get(job=job)


def values_report(job: Job, values: Mapping[str, float], *, unstable: bool = False, n: int = 1000) -> Report:
    """A measure report with these metrics, of `n` samples each, for each of the job's cases."""
    points = tuple(
        measured_make(case, metric, value, n=n)
        for case in job.spec["cases"]
        for metric, value in values.items()
    )
    doubts = (Remark(code="throttled", sentence="the clock fell", unstable=True),) if unstable else ()
    return job_report(job, measurements=points, remarks=doubts)


def history_make(
    project: Project, values: Sequence[float], *, metric: str = "latency_p50", first: int = 1
) -> list[Build]:
    """One build with one reported value for each of `values`, from the ordinal `first` on.

    The first one's report comes home by the site's own way, the others repeat its rows.
    """
    build = build_make(project, first)
    values_report(factories.job_make(build), {metric: values[0]})
    return [build, *builds_repeat(build, [1.0] * (len(values) - 1), values=values[1:])]


def comparison_make(case: Case, metric: str, *, ratio: float, pairs: int = 8) -> Comparison:
    """A comparison as the worker makes it, of pairs whose ratio is `ratio` with 1 % of noise."""
    a = [QUIET[i % len(QUIET)] for i in range(pairs)]
    b = [ratio * QUIET[(i * 3 + 1) % len(QUIET)] for i in range(pairs)]
    row = metric_get(metric)
    return compare_pairs(a, b, metric=row, final=True).as_comparison(case, row, a, b)


def compare_report(
    job: Job, ratios: Mapping[str, float], *, besides: Mapping[str, float] | None = None
) -> Report:
    """A compare report that decides each watched metric by its ratio; metrics not named are left out.

    `besides` are metrics of every case that nobody asked about.
    """
    cases = [Case.model_validate(fields) for fields in job.spec["cases"]]
    rows = tuple(
        comparison_make(cases[index], metric, ratio=ratios[metric])
        for index, metric in job.spec["watch"]
        if metric in ratios
    )
    riders = tuple(
        comparison_make(case, metric, ratio=ratio)
        for case in cases
        for metric, ratio in (besides or {}).items()
    )
    return job_report(job, comparisons=rows + riders)


def compare_job() -> Job:
    """The one comparison that was ordered."""
    return Job.objects.get(kind="compare")
