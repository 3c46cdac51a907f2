"""The API of what differs between an incident's builds layer by layer."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from perfsite.access.auth import READERS
from perfsite.access.readers import row_seen
from perfsite.core.parameters import RowId
from perfsite.dashboards.selectors.incidents import regressions_of
from perfsite.regressions.layers import LayersShown, layers_shown
from perfsite.regressions.models import Incident

router = Router(auth=READERS, tags=["incidents"])


class LayerOut(Schema):
    """One group of layers, in words; a text is empty where nothing is known."""

    names: str
    before: str
    after: str
    change: str
    share: str
    differs: str


class LayersOut(Schema):
    """The largest groups that differ; `waiting` says why there are none; `files` are artifacts by id."""

    source: str
    sentences: list[str] = Field(examples=[["conv_17 lost its fusion: 0.41 of 0.52 ms."]])
    rows: list[LayerOut]
    more: int
    timed: bool
    files: dict[str, int]
    waiting: str


@router.get("/incidents/{incident_id}/layers", response=LayersOut)
def layers(request: HttpRequest, incident_id: RowId) -> dict[str, Any]:
    """What differs inside the engines or profiles of an incident's builds, about its worst series."""
    found = row_seen(
        request, Incident.objects.select_related("project", "build", "range_start"), pk=incident_id
    )
    regressions = regressions_of(incident=found)
    shown = layers_shown(incident=found, worst=regressions[0] if regressions else None)
    shown = shown or LayersShown(waiting="neither engines nor profiles of both builds are there")
    return {**vars(shown), "files": {label: artifact.pk for label, artifact in shown.files}}
