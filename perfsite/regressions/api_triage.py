"""The triage API: a person's word about an incident, and notes."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from perfsite.access.auth import TRIAGERS, actor_of
from perfsite.access.readers import row_owned
from perfsite.core.parameters import RowId
from perfsite.regressions.api_read import incidents_full
from perfsite.regressions.api_schemas import IncidentOut, NoteIn, TriageIn
from perfsite.regressions.models import Incident
from perfsite.regressions.triage import incident_triage

router = Router(auth=TRIAGERS, tags=["triage"])


@router.post("/incidents/{incident_id}/triage", response=IncidentOut)
def triage(request: HttpRequest, incident_id: RowId, body: TriageIn) -> Incident:
    """Store a person's decision; the event log names the person, or the token."""
    found = row_owned(request, Incident.objects.all(), pk=incident_id)
    note = found.note if body.note is None else body.note
    incident_triage(incident=found, state=body.state, note=note, actor=actor_of(request))
    return incidents_full().get(pk=found.pk)


@router.post("/incidents/{incident_id}/note", response=IncidentOut)
def note(request: HttpRequest, incident_id: RowId, body: NoteIn) -> Incident:
    """Replace an incident's note."""
    found = row_owned(request, Incident.objects.all(), pk=incident_id)
    incident_triage(incident=found, state=found.state, note=body.note, actor=actor_of(request))
    return incidents_full().get(pk=found.pk)
