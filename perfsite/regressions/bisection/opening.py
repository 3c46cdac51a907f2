"""A search begins: by itself, or because a person asks for one.  Its plan is a step for each commit."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from perfsite.core.errors import ConflictError, NotFoundError, PerfsiteError
from perfsite.regressions.bisection.covering import is_counted
from perfsite.regressions.bisection.due import has_gap, hint_of
from perfsite.regressions.bisection.words import what_words
from perfsite.regressions.events import event_append, incident_locked
from perfsite.regressions.models import Bisection, BisectionStep, Incident, Regression
from perfsite.regressions.selectors import EXCLUDED, bisections_of, incident_is_open
from perfsite.regressions.subjects import subject_of
from perfsite.results.models import Series
from perfsite.runs.mirror import Mirror
from perfsite.runs.models import Build
from perfsite.runs.rules import builds_concerned

_READ_MOST = 300  # commits of a range whose changed files are read from git


def bisection_open(
    *, regression: Regression, is_due: Callable[[Incident], bool], by: str = ""
) -> Bisection | None:
    """Begin the search by a regression with a good build, unless `is_due` says no of its locked incident.

    `by` is who asked for it, empty where nobody did.
    """
    incident, base, bad = regression.incident, regression.verdict.base, regression.build
    if base is None:
        return None
    line = Build.objects.filter(project=incident.project, branch=bad.branch)
    between = list(line.filter(ordinal__gt=base.ordinal, ordinal__lt=bad.ordinal).order_by("ordinal"))
    mirror = Mirror(incident.project.repo, settings.MIRRORS)
    may = {build.pk for build in between[_READ_MOST:]}
    may |= builds_concerned(builds=between[:_READ_MOST], mirror=mirror, model=regression.series.model)
    with transaction.atomic():
        locked = incident_locked(incident_id=incident.pk)
        if not is_due(locked):
            return None
        hint = hint_of(regression=regression)
        bisection = Bisection.objects.create(regression=regression, good=base, bad=bad, hint=hint)
        BisectionStep.objects.bulk_create(_step(bisection, build, build.pk in may) for build in between)
        if may:
            what = what_words(subject_of(series=regression.series, build=bad))
            asked = f" {by} asked for it." if by else ""
            sentence = (
                f"The {len(may) + 1} commits after {base.short} are searched for who changed {what}.{asked}"
            )
            event_append(incident=locked, code="bisection_started", sentence=sentence)
    return bisection


def regression_at(*, series: Series, build_id: int) -> Regression | None:
    """The regression of a series that accuses a build, with what a search needs; None without any."""
    rows = Regression.objects.filter(series=series, build_id=build_id)
    related = ("incident__project", "series", "build", "verdict__base", "verdict__job", "bisection")
    return rows.select_related(*related).order_by("-id").first()


def bisection_ask(*, series: Series, build_id: int, actor: str) -> Bisection:
    """Begin the search for the guilty commit of a point's regression on a person's wish.

    Raises:
        NotFoundError: no regression stands at this point.
        PerfsiteError: nothing lies between, it was not confirmed, or its incident is closed.
        ConflictError: it was searched before, or another search of its incident runs.
    """
    found = regression_at(series=series, build_id=build_id)
    if found is None:
        raise NotFoundError(f"no regression of series {series.pk} stands at build {build_id}")
    if not has_gap(found):
        raise PerfsiteError(f"no commit lies between {found.build.short} and the build before it")
    if not is_counted(found) and found.verdict.stage != "confirmation":
        raise PerfsiteError(f"the change at {found.build.short} was not confirmed by pairs; confirm it first")
    if not incident_is_open(incident=found.incident):
        raise PerfsiteError(f"incident {found.incident_id} is closed; open it again to have it searched")
    opened = bisection_open(regression=found, is_due=lambda incident: _may_begin(incident, found), by=actor)
    if opened is None:
        raise ConflictError(f"it was searched before, or a search runs: see incident {found.incident_id}")
    return opened


def _may_begin(incident: Incident, regression: Regression) -> bool:
    searches = bisections_of(incident=incident)
    return not any(one.state == "running" or one.regression_id == regression.pk for one in searches)


def _step(bisection: Bisection, build: Build, may: bool) -> BisectionStep:
    if may:
        return BisectionStep(bisection=bisection, build=build)
    sentence = "changes no file that concerns the model, as perfsite.toml says"
    return BisectionStep(
        bisection=bisection, build=build, verdict=EXCLUDED, sentence=sentence, ended_at=timezone.now()
    )
