"""What the service found in the demo's commits, beside what was planted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.metrics import metric_get
from perfsite.demo.repository import Made
from perfsite.regressions.bisection.accusing import accusation_of, regression_accuses
from perfsite.regressions.bisection.covering import witnesses_of
from perfsite.regressions.bisection.due import incident_is_searched
from perfsite.regressions.models import Incident, Suspicion, Verdict
from perfsite.regressions.selectors import change_rank, regressions_ranked
from perfsite.results.models import Report
from perfsite.runs.models import Build, Job, Project
from perfsite.runs.states import JOB_ENDED

_TOLD_AS: dict[str, str] = {Incident.Kind.CODE: "regressed", Incident.Kind.ENVIRONMENT: "environment"}
# a notification in one of these states is not tried again
_TOLD = ("sent", "failed", "uncertain")


@dataclass(frozen=True)
class Row:
    """One line of the table; `right` is None where nothing was planted and nothing found."""

    sha: str
    subject: str
    metric: str
    before: str
    after: str
    change: str
    verdict: str
    right: bool | None


@dataclass(frozen=True)
class Standing:
    """How far the demo is: jobs ended of all, and what still goes on."""

    ended: int
    jobs: int
    waiting: str


def standing(*, project: Project, shas: Sequence[str]) -> Standing:
    """Where the service stands with these commits; `waiting` is empty when nothing is left to do."""
    builds = Build.objects.filter(project=project, sha__in=shas)
    jobs = Job.objects.filter(run__build__in=builds)
    ended = jobs.filter(state__in=JOB_ENDED).count()
    planned = builds.exclude(state="received").count()
    count = jobs.count()
    if planned < len(shas):
        waiting = f"planning {len(shas) - planned} builds"
    elif ended < count:
        waiting = _running_told(project)
    elif Report.objects.filter(job__in=jobs, screened_at__isnull=True).exists():
        waiting = "screening"
    elif Suspicion.objects.filter(build__in=builds, state="open").exists():
        waiting = "confirming"
    elif any(incident_is_searched(incident=one) for one in Incident.objects.filter(project=project)):
        waiting = "bisecting"
    elif Incident.objects.filter(project=project).exclude(notifications__state__in=_TOLD).exists():
        waiting = "telling"
    else:
        waiting = ""
    return Standing(ended=ended, jobs=count, waiting=waiting)


def _running_told(project: Project) -> str:
    job = (
        Job.objects.filter(run__build__project=project, state="running").select_related("run__build").first()
    )
    if job is None:
        return "waiting for the worker"
    build = job.run.build
    return f"{job.kind} {job.model} at {build.short}: {job.progress.get('stage', 'starting')}"


def rows(*, project: Project, made: Sequence[Made]) -> list[Row]:
    """The table, one row per commit, the oldest first."""
    builds = {build.sha: build for build in Build.objects.filter(project=project)}
    accused = {
        incident.culprit_id or incident.build_id: incident
        for incident in Incident.objects.filter(project=project, withdrawn_at=None)
    }
    found = [(one, builds.get(one.sha)) for one in made]
    return [_row(one, build, accused.get(build.pk) if build else None) for one, build in found]


def _row(made: Made, build: Build | None, incident: Incident | None) -> Row:
    if build is None or (incident is None and build.state in ("skipped", "failed", "received")):
        state = build.state if build else "unknown"
        return Row(made.sha, made.step.subject, "", "", "", "", state, _right(made, state))
    verdict = _verdict_shown(build, incident)
    told = _TOLD_AS[incident.kind] if incident else ""
    if incident and verdict is None:  # it accuses a range, this commit among others
        told = "in a range"
    if not told and verdict and verdict.kind == Verdict.Kind.IMPROVED:
        told = "environment" if verdict.stage == "environment" else "improved"
    failed = Job.objects.filter(run__build=build, state="failed").count()
    state = told or (f"{failed} failed jobs" if failed else "quiet")
    if verdict is None or not told:
        return Row(made.sha, made.step.subject, "", "", "", "", state, _right(made, state))
    metric = metric_get(verdict.series.metric)
    return Row(
        sha=made.sha,
        subject=made.step.subject,
        metric=f"{verdict.series.model}/{verdict.series.runner} {metric.title}",
        before=metric.format(verdict.before),
        after=metric.format(verdict.after),
        change=f"{verdict.relative:+.1%}",
        verdict=state,
        right=_right(made, state),
    )


def _verdict_shown(build: Build, incident: Incident | None) -> Verdict | None:
    """The verdict that tells most; of an incident, of its regressions that accuse this very commit."""
    if incident is None:
        better = Verdict.objects.filter(build=build, kind=Verdict.Kind.IMPROVED).select_related("series")
        return min(better, key=lambda one: change_rank(one.series.metric, one.relative), default=None)
    searches = witnesses_of(incident=incident)
    for regression in regressions_ranked(incident=incident):
        accused = regression_accuses(regression=regression, searches=searches)
        if accused.build == build and accused.suspects == 1:
            return regression.verdict
    return None


def searches_told(*, project: Project) -> list[str]:
    """What the searches for guilty commits said, one text per incident that had any."""
    incidents = Incident.objects.filter(project=project).order_by("id")
    return [said for incident in incidents if (said := accusation_of(incident=incident).sentence)]


def _right(made: Made, state: str) -> bool | None:
    expected = made.step.expect
    if expected == "quiet":
        if state == "environment":
            return None
        # a commit that joins another's push is measured only when a search or a gap asks for it
        return None if state == "quiet" or (made.step.joins and state == "skipped") else False
    return state == expected


def is_right(table: Sequence[Row], made: Sequence[Made]) -> bool:
    """Whether each planted regression and change of the machine was told, and no other commit accused.

    A machine that is shared may change by itself while the demo runs. Saying so accuses nobody, so an
    incident of the environment that nobody planted is no error.
    """
    return all(_is_right(row.verdict, one.step.expect) for row, one in zip(table, made, strict=True))


def _is_right(told: str, expected: str) -> bool:
    if expected in _TOLD_AS.values():
        return told == expected
    return told not in ("regressed", "in a range")


def moves_told(table: Sequence[Row], made: Sequence[Made]) -> list[str]:
    """The commits at which the machine moved by itself, as sentences; usually none."""
    return [
        f"{row.sha[:7]}: this machine itself changed ({row.metric} {row.change}); the code is innocent"
        for row, one in zip(table, made, strict=True)
        if row.verdict == "environment" != one.step.expect
    ]
