"""Reads of incidents and of what is still open about a build."""

from __future__ import annotations

import math
from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet

from benchmarks.cases import Case
from benchmarks.metrics import METRICS
from perfsite.regressions.incident_states import ACCUSING_STATES
from perfsite.regressions.models import Bisection, Incident, Regression, Suspicion, Verdict
from perfsite.results.metrics import metric_row
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
    """Whether nothing about a build is open, the search for the guilty commit included."""
    incident = Incident.objects.filter(build=build).exclude(kind=Incident.Kind.SERVICE).first()
    return build_is_judged(build=build) and not (incident and incident_is_searched(incident=incident))


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


def incident_is_searched(*, incident: Incident) -> bool:
    """Whether a search for the guilty commit runs, or is due to begin."""
    known = Bisection.objects.filter(regression__incident=incident).first()
    if known is not None:
        return known.state == "running"
    return incident_is_open(incident=incident) and regression_searched(incident=incident) is not None


def regression_searched(*, incident: Incident) -> Regression | None:
    """The regression that a search would go by: the worst confirmed one, else the worst counted one.

    Where the worst is a time that the pairs could hardly bound, a clearer time of the same model goes first:
    a search by noise ends without a name.  None where no commit lies between its good build and the
    accused one.
    """
    ranked = [row for row in regressions_ranked(incident=incident) if row.verdict.base is not None]
    confirmed = [row for row in ranked if row.verdict.stage == "confirmation"]
    counted = [row for row in ranked if row.verdict.stage == "screen"]
    leading = next(iter(_clear_first(confirmed) or counted), None)
    if leading is None or leading.verdict.base is None:
        return None
    start, end = leading.verdict.base.ordinal, incident.build.ordinal
    return leading if start is not None and end is not None and end - start > 1 else None


def _clear_first(confirmed: list[Regression]) -> list[Regression]:
    """The confirmed regressions, the worst first unless another time of its model is known much better."""
    if not confirmed or not _is_time(confirmed[0]) or _is_clear(confirmed[0]):
        return confirmed
    model = confirmed[0].series.model
    clear = [row for row in confirmed if row.series.model == model and _is_time(row) and _is_clear(row)]
    return [*clear[:1], *confirmed]


def _is_time(regression: Regression) -> bool:
    row = metric_row(regression.series.metric)
    return row is not None and row.unit in ("s", "1/s")


def _is_clear(regression: Regression) -> bool:
    """Whether the interval of the pairs is no wider than the change itself."""
    verdict = regression.verdict
    low, high = verdict.relative_low, verdict.relative_high
    if low is None or high is None or min(low, verdict.relative) <= -1:
        return False
    return math.log1p(high) - math.log1p(low) <= abs(math.log1p(verdict.relative))


def bisection_of(*, incident: Incident) -> Bisection | None:
    """The search for the guilty commit of an incident, None when there was none."""
    rows = Bisection.objects.filter(regression__incident=incident)
    return rows.select_related("good", "bad", "regression__verdict__base").first()


@dataclass(frozen=True)
class Accusation:
    """Whom an incident accuses.

    `build` is the culprit, or the newest of the `suspects` commits that it can be; `good` the last good
    one; `sentence` what the search said, empty without one.
    """

    build: Build
    good: Build
    suspects: int = 1
    sentence: str = ""

    @property
    def label(self) -> str:
        """The accused in a sentence: seven characters, or a range as git writes it."""
        return self.build.short if self.suspects == 1 else f"{self.good.short}..{self.build.short}"


def accusation_of(*, incident: Incident) -> Accusation:
    """Whom an incident accuses, as far as it is known."""
    search = bisection_of(incident=incident)
    sentence = search.reason if search is not None else ""
    if incident.culprit is not None:
        return Accusation(incident.culprit, incident.range_start, 1, sentence)
    if search is None or search.state == "found":
        return Accusation(incident.build, incident.range_start, 1, sentence)
    left_out = search.steps.filter(
        verdict=EXCLUDED, build__ordinal__gt=search.good.ordinal, build__ordinal__lt=search.bad.ordinal
    )
    span = (search.bad.ordinal or 0) - (search.good.ordinal or 0)
    return Accusation(search.bad, search.good, max(1, span - left_out.count()), sentence)
