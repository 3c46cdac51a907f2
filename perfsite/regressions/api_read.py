"""The reading API of incidents, verdicts, comparisons of builds, and grading."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from perfsite.access.auth import READERS
from perfsite.access.readers import row_seen, rows_seen
from perfsite.core.errors import PerfsiteError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import ID_MAX, RowId
from perfsite.regressions.api_schemas import (
    CompareOut,
    EventOut,
    GradingOut,
    IncidentOut,
    StandingOut,
    VerdictOut,
)
from perfsite.regressions.comparing import builds_compare
from perfsite.regressions.grading.figures import grading_read
from perfsite.regressions.grading.rules import rule_now
from perfsite.regressions.incident_filter import IncidentFilter, incidents_filtered
from perfsite.regressions.models import Incident, IncidentEvent, Regression, Verdict
from perfsite.regressions.verdicts import build_standing
from perfsite.results.models import Series
from perfsite.runs.models import Build, Project

router = Router(auth=READERS, tags=["incidents"])


class IncidentAsk(Schema):
    """Which incidents are wanted: `state` may be `open`, every state that still stands.

    `q` is the beginning of a commit, or part of its subject, the note or a model's name.
    """

    state: str = Field("", max_length=30)
    kind: str = Field("", max_length=30)
    tag: str = Field("", max_length=254)
    assignee: str = Field("", max_length=254)
    q: str = Field("", max_length=254)


class VerdictAsk(Schema):
    """Which verdicts are wanted; those of stage `person` are people's marks."""

    stage: str = Field("", max_length=20, examples=["person"])


class CompareAsk(Schema):
    """The two builds, by id."""

    base: int = Field(ge=1, le=ID_MAX, examples=[11])
    new: int = Field(ge=1, le=ID_MAX, examples=[12])


def _incidents(request: HttpRequest, wanted: IncidentAsk) -> QuerySet[Incident]:
    asked = IncidentFilter(
        state=wanted.state, kind=wanted.kind, tag=wanted.tag, assignee=wanted.assignee, text=wanted.q
    )
    return incidents_filtered(rows_seen(request, incidents_full()), asked)


def incidents_full() -> QuerySet[Incident]:
    """Incidents with all that the API says of them."""
    regressions = Regression.objects.select_related("series", "verdict__job", "verdict__base")
    return Incident.objects.select_related("project", "build", "range_start", "culprit").prefetch_related(
        Prefetch("regressions", queryset=regressions)
    )


@router.get("/incidents", response=Page[IncidentOut])
def incidents_everywhere(
    request: HttpRequest, wanted: Query[IncidentAsk], cursor: Query[Cursor]
) -> dict[str, Any]:
    """The incidents of every project this reader may see."""
    return page_of(_incidents(request, wanted), cursor)


@router.get("/projects/{slug:slug}/incidents", response=Page[IncidentOut])
def incidents(
    request: HttpRequest, slug: str, wanted: Query[IncidentAsk], cursor: Query[Cursor]
) -> dict[str, Any]:
    """A project's incidents."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    return page_of(_incidents(request, wanted).filter(project=project), cursor)


@router.get("/incidents/{incident_id}", response=IncidentOut)
def incident(request: HttpRequest, incident_id: RowId) -> Incident:
    """One incident with its regressions."""
    return row_seen(request, incidents_full(), pk=incident_id)


@router.get("/incidents/{incident_id}/events", response=Page[EventOut])
def events(request: HttpRequest, incident_id: RowId, cursor: Query[Cursor]) -> dict[str, Any]:
    """What happened to an incident: who, when, why."""
    found = row_seen(request, Incident.objects.all(), pk=incident_id)
    return page_of(IncidentEvent.objects.filter(incident=found).select_related("incident"), cursor)


@router.get("/series/{series_id}/verdicts", response=Page[VerdictOut], tags=["verdicts"])
def series_verdicts(
    request: HttpRequest, series_id: RowId, wanted: Query[VerdictAsk], cursor: Query[Cursor]
) -> dict[str, Any]:
    """What was decided about a series."""
    found = row_seen(request, Series.objects.all(), pk=series_id)
    rows = Verdict.objects.filter(series=found)
    return page_of(rows.filter(stage=wanted.stage) if wanted.stage else rows, cursor)


@router.get("/builds/{build_id}/verdicts", response=Page[VerdictOut], tags=["verdicts"])
def build_verdicts(request: HttpRequest, build_id: RowId, cursor: Query[Cursor]) -> dict[str, Any]:
    """What was decided about a build, series by series."""
    found = row_seen(request, Build.objects.all(), pk=build_id)
    return page_of(Verdict.objects.filter(build=found), cursor)


@router.get("/builds/{build_id}/standing", response=StandingOut, tags=["verdicts"])
def standing(request: HttpRequest, build_id: RowId) -> dict[str, Any]:
    """How a build stands as a whole: what a pipeline waits for."""
    found = row_seen(request, Build.objects.all(), pk=build_id)
    told = build_standing(build=found)
    return {"build_id": found.pk, "sha": found.sha, **vars(told)}


@router.get("/projects/{slug:slug}/compare", response=CompareOut, tags=["verdicts"])
def compare(request: HttpRequest, slug: str, ask: Query[CompareAsk]) -> dict[str, Any]:
    """Two builds of a project side by side."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    found = Build.objects.filter(project=project).in_bulk([ask.base, ask.new])
    for key in (ask.base, ask.new):
        if key not in found:
            raise PerfsiteError(f"project {slug} has no build {key}; its builds are listed at /builds")
    base, new = found[ask.base], found[ask.new]
    told = vars(builds_compare(base=base, new=new))
    return {"base_id": base.pk, "base_sha": base.sha, "new_id": new.pk, "new_sha": new.sha, **told}


@router.get("/projects/{slug:slug}/grading", response=GradingOut, tags=["grading"])
def grading(request: HttpRequest, slug: str) -> dict[str, Any]:
    """How right the service was about a project, and its rule."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    found = grading_read(project=project, now=timezone.now())
    return {**vars(found), "rule": rule_now(project_id=project.pk)}
