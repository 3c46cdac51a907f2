"""The reading API of series and their points."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router, Schema

from perfsite.access.auth import READERS
from perfsite.access.readers import row_seen
from perfsite.core.pagination import LIMIT_DEFAULT, page_cut
from perfsite.results.models import Measurement, Series
from perfsite.runs.models import Project

router = Router(auth=READERS, tags=["series"])

_POINTS_MAX = 20_000


class SeriesOut(Schema):
    """A series: one metric of one case on one device class over the builds of one branch."""

    id: int
    branch: str
    device_class: str
    split: str
    model: str
    runner: str
    precision: str
    shape: str
    suite: str
    metric: str


class SeriesPage(Schema):
    """Series, the newest first; pass `next` as `before` for the next page."""

    items: list[SeriesOut]
    next: int | None


class PointOut(Schema):
    """A build's value, in the metric's unit, with its 95 % interval and number of samples."""

    ordinal: int
    build_id: int
    value: float
    ci_low: float | None
    ci_high: float | None
    n: int
    unstable: bool


@router.get("/projects/{slug}/series", response=SeriesPage)
def series(
    request: HttpRequest, slug: str, before: int | None = None, limit: int = LIMIT_DEFAULT
) -> dict[str, object]:
    """A project's series."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    items, following = page_cut(Series.objects.filter(project=project), before=before, limit=limit)
    return {"items": items, "next": following}


@router.get("/series/{series_id}/points", response=list[PointOut])
def points(request: HttpRequest, series_id: int, first: int = 0, last: int = 2**31 - 1) -> list[Measurement]:
    """The points of a series between two ordinals, both included; at most the newest 20,000."""
    wanted = row_seen(request, Series.objects.all(), pk=series_id)
    rows = wanted.points.filter(ordinal__range=(first, last)).order_by("-ordinal")
    return list(rows[:_POINTS_MAX])[::-1]
