"""The API of what a person does with a point of a series, and of measuring an incident again."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from perfsite.access.auth import DELIVERERS, TRIAGERS, actor_of
from perfsite.access.readers import row_owned
from perfsite.core.errors import ConflictError, PerfsiteError
from perfsite.core.parameters import RowId
from perfsite.regressions.api_evidence import BisectionOut
from perfsite.regressions.api_schemas import VerdictOut
from perfsite.regressions.bisection.opening import bisection_ask
from perfsite.regressions.causes.recheck import incident_recheck
from perfsite.regressions.confirmation.asked import (
    between_measure,
    change_mark,
    comparison_ask,
    mark_undo,
)
from perfsite.regressions.models import Incident, Verdict
from perfsite.results.models import Series
from perfsite.runs.api_orders import BackfillOut, backfill_told

router = Router(auth=TRIAGERS, tags=["points"])


class SuspicionOut(Schema):
    """A comparison of a build with the one before it that was ordered."""

    id: int
    series_id: int
    build_id: int
    base_id: int
    state: str = Field(examples=["open"])
    opened_at: datetime


class RecheckOut(Schema):
    """The job that compares an incident's builds again."""

    job_id: int


def _series(request: HttpRequest, series_id: int) -> Series:
    found: Series = row_owned(request, Series.objects.select_related("project"), pk=series_id)
    return found


@router.post("/series/{series_id}/builds/{build_id}/mark", response={201: VerdictOut})
def mark(request: HttpRequest, series_id: RowId, build_id: RowId) -> Status:
    """Call a point a change: worse or better, by the metric's direction."""
    found = _series(request, series_id)
    return Status(201, change_mark(series=found, build_id=build_id, actor=actor_of(request)))


@router.delete("/series/{series_id}/builds/{build_id}/mark", response=VerdictOut)
def unmark(request: HttpRequest, series_id: RowId, build_id: RowId) -> Verdict:
    """Take a mark back: the verdict `same` that follows it is answered, and its incident is withdrawn."""
    return mark_undo(series=_series(request, series_id), build_id=build_id, actor=actor_of(request))


@router.post("/series/{series_id}/builds/{build_id}/compare", response={201: SuspicionOut}, auth=DELIVERERS)
def compare_order(request: HttpRequest, series_id: RowId, build_id: RowId) -> Status:
    """Measure a point's build and the one before it again in turns."""
    found = _series(request, series_id)
    return Status(201, comparison_ask(series=found, build_id=build_id, actor=actor_of(request)))


@router.post("/series/{series_id}/builds/{build_id}/bisect", response={201: BisectionOut}, auth=DELIVERERS)
def bisect_order(request: HttpRequest, series_id: RowId, build_id: RowId) -> Status:
    """Begin the search for the guilty commit of the regression that stands at a point."""
    found = _series(request, series_id)
    return Status(201, bisection_ask(series=found, build_id=build_id, actor=actor_of(request)))


@router.post("/series/{series_id}/builds/{build_id}/search", response=BackfillOut, auth=DELIVERERS)
def search_order(request: HttpRequest, series_id: RowId, build_id: RowId) -> dict[str, object]:
    """Measure the commits between a point and the one before it: the one that moved it then shows."""
    return backfill_told(between_measure(series=_series(request, series_id), build_id=build_id))


@router.post("/incidents/{incident_id}/recheck", response=RecheckOut, tags=["triage"])
def recheck(request: HttpRequest, incident_id: RowId) -> dict[str, int]:
    """Compare the accused build of an incident with its good one again; the outcome becomes an event."""
    found = row_owned(request, Incident.objects.all(), pk=incident_id)
    try:
        job = incident_recheck(incident=found, actor=actor_of(request))
    except PerfsiteError as error:
        raise ConflictError(str(error)) from None
    return {"job_id": job.pk}
