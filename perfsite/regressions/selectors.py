"""Reads of incidents and of what is still open about a build."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from benchmarks.cases import Case
from benchmarks.metrics import METRICS
from perfsite.regressions.models import Incident, Regression, Suspicion, Verdict
from perfsite.results.models import Report
from perfsite.runs.cases import case_find, cases_of
from perfsite.runs.models import Build, Job
from perfsite.runs.states import JOB_ENDED

_METRIC_PLACES = {name: place for place, name in enumerate(METRICS)}


def incidents_of(*, project_id: int) -> QuerySet[Incident]:
    """The incidents of a project with builds and regressions, the newest first."""
    regressions = Regression.objects.select_related("series", "verdict")
    return (
        Incident.objects.filter(project_id=project_id)
        .select_related("project", "build", "range_start")
        .prefetch_related(Prefetch("regressions", queryset=regressions))
        .order_by("-opened_at", "-id")
    )


def regressions_ranked(*, incident: Incident) -> list[Regression]:
    """The regressions of an incident, the worst first, with series, verdict and the verdict's job."""
    rows = incident.regressions.select_related("series", "verdict__job", "verdict__base")
    return sorted(rows, key=lambda row: change_rank(row.series.metric, row.verdict.relative))


def change_rank(metric: str, relative: float) -> tuple[int, float]:
    """Sorts changes by what a person feels: time before memory before sizes, then the larger one.

    The table of metrics is in that order.
    """
    return _METRIC_PLACES.get(metric, len(_METRIC_PLACES)), -abs(relative)


def changes_of(*, series_id: int) -> list[Verdict]:
    """Where a series moved, in branch order: the newest verdict of each build, when it is a change."""
    newest: dict[int, Verdict] = {}
    rows = Verdict.objects.filter(series_id=series_id, build__ordinal__isnull=False)
    for verdict in rows.select_related("build", "base", "regression__incident").order_by("id"):
        newest[verdict.build_id] = verdict
    moved = [row for row in newest.values() if row.kind in (Verdict.Kind.REGRESSED, Verdict.Kind.IMPROVED)]
    return sorted(moved, key=lambda row: row.build.ordinal or 0)


def case_of(*, verdict: Verdict) -> Case | None:
    """The case that measures what a verdict is about alone; None when its job is gone."""
    if verdict.job is None:
        return None
    return case_find(cases_of(verdict.job.spec), verdict.series)


def build_is_settled(*, build: Build) -> bool:
    """Whether nothing about a build is open: no suspicion, no measure or compare job, no report to screen."""
    jobs = Job.objects.filter(run__build=build)
    open_jobs = jobs.exclude(kind=Job.Kind.SOAK).exclude(state__in=JOB_ENDED)
    return not (
        Suspicion.objects.filter(build=build, state="open").exists()
        or open_jobs.exists()
        or Report.objects.filter(job__run__build=build, screened_at=None).exists()
    )
