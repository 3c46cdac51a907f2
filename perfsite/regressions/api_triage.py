"""The triage API: a person's word about an incident, and whose, tags, merge, split, move."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from ninja import Router

from perfsite.access.auth import TRIAGERS, actor_of
from perfsite.access.readers import row_owned
from perfsite.core.errors import PerfsiteError
from perfsite.core.parameters import RowId
from perfsite.regressions.api_read import incidents_full
from perfsite.regressions.api_read import router as reading
from perfsite.regressions.api_schemas import (
    EditIn,
    IncidentOut,
    MergeIn,
    MoveIn,
    SplitIn,
    TriageIn,
    TriageManyIn,
)
from perfsite.regressions.models import Incident
from perfsite.regressions.regrouping import incident_merge, incident_reassign, incident_split
from perfsite.regressions.triage import incident_triage, incidents_triage
from perfsite.regressions.triage_details import incident_edit
from perfsite.runs.models import Build, Project

router = Router(auth=TRIAGERS, tags=["triage"])


def _owned(request: HttpRequest, incident_id: int) -> Incident:
    return row_owned(request, Incident.objects.all(), pk=incident_id)


def _told(incident: Incident) -> Incident:
    return incidents_full().get(pk=incident.pk)


@router.post("/incidents/{incident_id}/triage", response=IncidentOut)
def triage(request: HttpRequest, incident_id: RowId, body: TriageIn) -> Incident:
    """Store a person's decision; the event log names the person, or the token."""
    found = _owned(request, incident_id)
    incident_triage(
        incident=found, state=body.state, note=body.note, actor=actor_of(request), reason=body.reason
    )
    return _told(found)


@router.post("/projects/{slug:slug}/triage", response=list[IncidentOut])
def triage_many(request: HttpRequest, slug: str, body: TriageManyIn) -> list[Incident]:
    """One decision about many incidents of a project; those that are there already stay untouched."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    # in one order: two callers at once wait for each other instead of blocking each other
    found = Incident.objects.filter(project=project, pk__in=body.incidents).order_by("pk")
    if missing := sorted(set(body.incidents) - {row.pk for row in found}):
        raise PerfsiteError(f"project {slug} has no incident {missing[0]}; nothing was changed")
    with transaction.atomic():
        moved = incidents_triage(
            incidents=found, state=body.state, actor=actor_of(request), reason=body.reason
        )
    return list(incidents_full().filter(pk__in=[row.pk for row in moved]).order_by("-pk"))


@reading.patch("/incidents/{incident_id}", response=IncidentOut, auth=TRIAGERS, tags=["triage"])
def edit(request: HttpRequest, incident_id: RowId, body: EditIn) -> Incident:
    """Change the note, the assignee, tags, links or the due date."""
    found = _owned(request, incident_id)
    incident_edit(incident=found, actor=actor_of(request), **body.model_dump())
    return _told(found)


@router.post("/incidents/{incident_id}/merge", response=IncidentOut)
def merge(request: HttpRequest, incident_id: RowId, body: MergeIn) -> Incident:
    """Give all regressions of an incident to another one of its project, which is answered."""
    found, into = _owned(request, incident_id), _owned(request, body.into)
    incident_merge(incident=found, into=into, actor=actor_of(request), reason=body.reason)
    return _told(into)


@router.post("/incidents/{incident_id}/split", response=IncidentOut)
def split(request: HttpRequest, incident_id: RowId, body: SplitIn) -> Incident:
    """Give some regressions to an incident about another build, which is answered."""
    found = _owned(request, incident_id)
    other = incident_split(
        incident=found,
        regressions=body.regressions,
        build=_build(found, body.build_id),
        actor=actor_of(request),
        reason=body.reason,
    )
    return _told(other)


@router.post("/incidents/{incident_id}/move", response=IncidentOut)
def move(request: HttpRequest, incident_id: RowId, body: MoveIn) -> Incident:
    """Accuse another build of the branch; the first range is kept."""
    found = _owned(request, incident_id)
    build = _build(found, body.build_id)
    incident_reassign(incident=found, build=build, actor=actor_of(request), reason=body.reason)
    return _told(found)


def _build(incident: Incident, build_id: int) -> Build:
    found = Build.objects.filter(project_id=incident.project_id, pk=build_id).first()
    if found is None:
        raise PerfsiteError(
            f"the incident's project has no build {build_id}; its builds are listed at /builds"
        )
    return found
