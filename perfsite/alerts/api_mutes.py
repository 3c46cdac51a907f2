"""The API of mutes: list, add by incident, end."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from perfsite.access.auth import MANAGERS, TRIAGERS, actor_of
from perfsite.access.readers import row_owned
from perfsite.alerts.api_schemas import MutedOut, MuteIn, MuteOut
from perfsite.alerts.configuring import incident_mute, mute_end
from perfsite.alerts.models import Mute
from perfsite.core.errors import NotFoundError, PerfsiteError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import RowId
from perfsite.regressions.models import Incident
from perfsite.runs.models import Project

router = Router(auth=TRIAGERS, tags=["alerts"])


@router.get("/projects/{slug:slug}/mutes", response=Page[MuteOut])
def mutes(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The mutes that hold now."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    rows = Mute.objects.filter(project=project, until__gt=timezone.now())
    return page_of(rows.select_related("series"), cursor)


@router.post("/incidents/{incident_id}/mute", response=MutedOut)
def mute_add(request: HttpRequest, incident_id: RowId, body: MuteIn) -> dict[str, int]:
    """Let nobody hear of an incident's series until a moment."""
    found = row_owned(request, Incident.objects.all(), pk=incident_id)
    if body.until.tzinfo is None:
        raise PerfsiteError("`until` needs its offset, such as 2026-12-24T18:00:00Z")
    count = incident_mute(incident=found, until=body.until, reason=body.reason, actor=actor_of(request))
    return {"series": count}


@router.delete("/projects/{slug:slug}/mutes/{mute_id}", response={204: None}, auth=MANAGERS)
def mute_stop(request: HttpRequest, slug: str, mute_id: RowId) -> Status:
    """End a mute now: people hear of the series again."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    found = Mute.objects.filter(project=project, pk=mute_id).first()
    if found is None:
        raise NotFoundError(f"{slug} has no mute {mute_id}; /mutes lists those that hold")
    mute_end(mute=found)
    return Status(204, None)
