"""Measuring commits that nobody measured because a change lies among them, so that the chart shows where.

A search by pairs leaves no points: what it found, and the commit before, are measured once it has ended.
Where it ended with a range, or nobody searches (an improvement accuses nobody), a few commits of it are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db.models import F, QuerySet
from django.utils import timezone

from perfsite.regressions.bisection.due import incident_is_searched
from perfsite.regressions.confirmation.day_budget import day_spent
from perfsite.regressions.events import event_append
from perfsite.regressions.guard import guarded
from perfsite.regressions.models import Bisection, Incident, Verdict
from perfsite.regressions.selectors import incident_is_open
from perfsite.regressions.verdicts import verdicts_newest
from perfsite.runs.backfill import Wish, backfill_order
from perfsite.runs.budget import SEARCH
from perfsite.runs.mirror import Mirror
from perfsite.runs.models import Build, Job
from perfsite.runs.rules import builds_concerned

GAP_MOST = 3  # commits of a range that are measured where nothing names one
RECENT = timedelta(days=1)
_READ_MOST = 300  # commits of a range whose changed files are read from git


@dataclass(frozen=True)
class Gap:
    """Where a change of a model lies: behind `good`, with `bad` at the latest; `is_found` names `bad`."""

    good: Build
    bad: Build
    wish: Wish
    is_found: bool = False
    incident: Incident | None = None


def gaps_measure() -> int:
    """Order what shows the changes of the last day on the charts; returns how many gaps got jobs.

    Only within the day's minutes for comparisons, and not where `perfsite.toml` says `bisect = false`.
    """
    gaps = {gap: None for verdict in _changes() if (gap := _gap(verdict)) is not None}
    return sum(guarded(partial(_measure, gap), f"measuring between {gap.good} and {gap.bad}") for gap in gaps)


def _changes() -> list[Verdict]:
    """One verdict for each build and model that changed behind unmeasured commits."""
    rows = verdicts_newest(
        created_at__gte=timezone.now() - RECENT,
        kind__in=(Verdict.Kind.REGRESSED, Verdict.Kind.IMPROVED),
        stage__in=("confirmation", "screen"),
        base__ordinal__lt=F("build__ordinal") - 1,
    )
    related = ("series", "build__project", "base", "regression__incident")
    return list(rows.select_related(*related).order_by("id"))


def _gap(verdict: Verdict) -> Gap | None:
    series, base = verdict.series, verdict.base
    if base is None:
        return None
    wish = Wish(series.device_class, series.model, series.precision, ordered_by=SEARCH)
    if verdict.kind == Verdict.Kind.IMPROVED:
        return Gap(base, verdict.build, wish)
    regression = getattr(verdict, "regression", None)
    if regression is None or not incident_is_open(incident=regression.incident):
        return None
    search = Bisection.objects.filter(regression=regression, state__in=("found", "range")).first()
    if search is None or incident_is_searched(incident=regression.incident):
        return None
    return Gap(search.good, search.bad, wish, search.state == "found", regression.incident)


def _measure(gap: Gap) -> bool:
    """Order the measuring of a gap's commits; False when nothing is left to order, or nothing may be."""
    like = _measured(gap).filter(run__build__ordinal__gte=gap.bad.ordinal).order_by("id").first()
    if like is None or not like.spec.get("confirmation", {}).get("bisect", True):
        return False
    builds = [build for build in _chosen(gap) if not _measured(gap).filter(run__build=build).exists()]
    project = gap.bad.project
    if not builds or day_spent(project_id=project.pk, spec=like.spec, now=timezone.now()):
        return False
    done = backfill_order(project=project, builds=builds, wish=gap.wish)
    if done.jobs and gap.incident is not None:
        names = " and ".join(job.run.build.short for job in done.jobs)
        sentence = f"{names} are measured, too, so that the chart shows where {gap.wish.model} changed."
        event_append(incident=gap.incident, code="gap_measured", sentence=sentence)
    return bool(done.jobs)


def _chosen(gap: Gap) -> list[Build]:
    """The commits to measure: both sides of what was found, else a few evenly placed ones."""
    if gap.is_found:
        return [gap.good, gap.bad]
    line = Build.objects.filter(project=gap.bad.project, branch=gap.bad.branch)
    between = list(line.filter(ordinal__gt=gap.good.ordinal, ordinal__lt=gap.bad.ordinal).order_by("ordinal"))
    mirror = Mirror(gap.bad.project.repo, settings.MIRRORS)
    may = builds_concerned(builds=between[:_READ_MOST], mirror=mirror, model=gap.wish.model)
    able = [build for build in between if build.pk in may]
    if len(able) <= GAP_MOST:
        return able
    return [able[(number + 1) * len(able) // (GAP_MOST + 1)] for number in range(GAP_MOST)]


def _measured(gap: Gap) -> QuerySet[Job]:
    """The measure jobs of the gap's model on its device class, in its project."""
    wish = gap.wish
    return Job.objects.filter(
        run__build__project=gap.bad.project,
        kind=Job.Kind.MEASURE,
        device_class=wish.device_class,
        model=wish.model,
        precision=wish.precision,
    )
