"""Reads of incidents and of what is still open about a build."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from benchmarks.cases import Case
from benchmarks.metrics import METRICS
from perfsite.regressions.incident_states import ACCUSING_STATES
from perfsite.regressions.models import (
    Attribution,
    Bisection,
    Incident,
    Regression,
    Suspicion,
    Verdict,
)
from perfsite.results.models import Report
from perfsite.runs.cases import case_find, cases_of
from perfsite.runs.models import Build, Job
from perfsite.runs.states import JOB_ENDED

EXCLUDED = "excluded"  # a bisection step's verdict: the commit changes no file that concerns the model

_METRIC_PLACES = {name: place for place, name in enumerate(METRICS)}


def incidents_of(*, project_id: int) -> QuerySet[Incident]:
    """The incidents of a project with builds and regressions, the newest first."""
    regressions = Regression.objects.select_related("series", "verdict")
    return (
        Incident.objects.filter(project_id=project_id, merged_into=None)
        .select_related("project", "build", "range_start", "culprit")
        .prefetch_related(Prefetch("regressions", queryset=regressions))
        .order_by("-opened_at", "-id")
    )


def regressions_ranked(*, incident: Incident) -> list[Regression]:
    """The regressions of an incident, the worst first, with series, verdict and the verdict's job."""
    rows = incident.regressions.select_related("series", "build", "verdict__job", "verdict__base")
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


def build_is_judged(*, build: Build) -> bool:
    """Whether no verdict is missing: no suspicion, no measure or compare job, no report to screen."""
    jobs = Job.objects.filter(run__build=build)
    # of a priority below zero are self-tests, which say nothing about the build; a profile judges nothing
    judging = jobs.filter(priority__gte=0).exclude(kind__in=(Job.Kind.SOAK, Job.Kind.PROFILE))
    open_jobs = judging.exclude(state__in=JOB_ENDED)
    return not (
        Suspicion.objects.filter(build=build, state="open").exists()
        or open_jobs.exists()
        or Report.objects.filter(job__run__build=build, screened_at=None).exists()
    )


def incident_is_open(*, incident: Incident) -> bool:
    """Whether an incident still accuses somebody's commit, so that telling and searching make sense."""
    accuses = incident.kind == Incident.Kind.CODE and incident.withdrawn_at is None
    return accuses and incident.state in ACCUSING_STATES


def bisections_of(*, incident: Incident) -> list[Bisection]:
    """The searches for the guilty commits of an incident, the first one first."""
    rows = Bisection.objects.filter(regression__incident=incident).order_by("id")
    related = ("verdict__base", "verdict__job", "series", "build")
    return list(rows.select_related("good", "bad", "hint", *(f"regression__{name}" for name in related)))


def attribution_of(*, verdict: Verdict) -> Attribution | None:
    """Where a verdict's change came from; the environment's verdict has that of the comparison behind it."""
    key = verdict.evidence.get("refuted", verdict.pk) if verdict.stage == "environment" else verdict.pk
    return Attribution.objects.filter(verdict_id=key).first()
