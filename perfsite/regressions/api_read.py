"""The reading API of incidents."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema

from perfsite.access.auth import READERS
from perfsite.access.readers import row_seen
from perfsite.core.pagination import LIMIT_DEFAULT, page_cut
from perfsite.regressions.models import Incident
from perfsite.runs.models import Project

router = Router(auth=READERS, tags=["incidents"])


class RegressionOut(Schema):
    """One series that got worse: values in the metric's unit, `relative` is after over before minus one."""

    series_id: int
    series: str
    before: float
    after: float
    relative: float
    relative_low: float | None
    relative_high: float | None
    stage: str
    sentence: str


class IncidentOut(Schema):
    """The regressions one build is accused of; of kind `environment` its code is innocent.

    A withdrawn one has `withdrawn_at` and `withdrawn_reason`: later data refuted it.
    """

    id: int
    build_id: int
    sha: str
    good_sha: str
    culprit_sha: str | None
    kind: str
    state: str
    opened_at: datetime
    withdrawn_at: datetime | None
    withdrawn_reason: str
    regressions: list[RegressionOut]

    @staticmethod
    def resolve_sha(row: Incident) -> str:
        """The accused commit."""
        return row.build.sha

    @staticmethod
    def resolve_culprit_sha(row: Incident) -> str | None:
        """The commit that a bisection found guilty, if any."""
        return row.culprit.sha if row.culprit else None

    @staticmethod
    def resolve_good_sha(row: Incident) -> str:
        """The last commit known to be good."""
        return row.range_start.sha

    @staticmethod
    def resolve_regressions(row: Incident) -> list[dict[str, object]]:
        """The worst first."""
        rows = row.regressions.select_related("series", "verdict")
        told = ("before", "after", "relative", "relative_low", "relative_high", "stage", "sentence")
        return [
            {
                "series_id": one.series_id,
                "series": one.series.label,
                **{name: getattr(one.verdict, name) for name in told},
            }
            for one in sorted(rows, key=lambda one: -abs(one.verdict.relative))
        ]


class IncidentPage(Schema):
    """Incidents, the newest first; pass `next` as `before` for the next page."""

    items: list[IncidentOut]
    next: int | None


@router.get("/projects/{slug}/incidents", response=IncidentPage)
def incidents(
    request: HttpRequest, slug: str, before: int | None = None, limit: int = LIMIT_DEFAULT
) -> dict[str, object]:
    """A project's incidents."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    rows = Incident.objects.filter(project=project).select_related("build", "range_start", "culprit")
    items, following = page_cut(rows, before=before, limit=limit)
    return {"items": items, "next": following}


@router.get("/incidents/{incident_id}", response=IncidentOut)
def incident(request: HttpRequest, incident_id: int) -> Incident:
    """One incident with its regressions."""
    rows = Incident.objects.select_related("build", "range_start", "culprit")
    return row_seen(request, rows, pk=incident_id)
