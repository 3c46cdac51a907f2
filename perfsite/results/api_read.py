"""The reading API of series, their points, trends and environments."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from perfsite.access.auth import READERS
from perfsite.access.limits import heavy
from perfsite.access.readers import row_seen, rows_seen
from perfsite.core.errors import NotFoundError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import Ordinal, RowId
from perfsite.results.api_schemas import (
    EnvironmentOut,
    EnvironmentStepOut,
    MeasuredOut,
    PointOut,
    SamplesOut,
    SeriesOut,
    TrendOut,
)
from perfsite.results.models import Environment, Measurement, Report, Series
from perfsite.results.samples import PointSamples, samples_span
from perfsite.results.selectors import environment_steps, recent_values, series_find
from perfsite.runs.models import Build, Project

router = Router(auth=READERS, tags=["series"])

_PROJECT = "job__run__build__project"


class SeriesFilter(Schema):
    """Which series are wanted: every word of `q` must be in one of its names."""

    q: str = Field("", max_length=200)
    branch: str = ""
    model: str = ""
    runner: str = ""
    precision: str = ""
    shape: str = ""
    suite: str = ""
    metric: str = ""
    device_class: str = ""


class Span(Schema):
    """Which places of the branch are wanted, both ends included."""

    first: Ordinal = 0
    last: Ordinal = 2**31 - 1


class PointCursor(Cursor):
    """As every cursor; `before` is an ordinal."""

    limit: int = Field(500, ge=1, le=500)


class TrendAsk(Schema):
    """How far back: places on the branch from the newest point of the page's series."""

    builds: int = Field(60, ge=1, le=500)


def _find(request: HttpRequest, slug: str, wanted: SeriesFilter) -> Any:
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    found = series_find(project=project, text=wanted.q, facets=wanted.model_dump(exclude={"q", "branch"}))
    return found.filter(branch=wanted.branch) if wanted.branch else found


@router.get("/projects/{slug:slug}/series", response=Page[SeriesOut])
def series(
    request: HttpRequest, slug: str, wanted: Query[SeriesFilter], cursor: Query[Cursor]
) -> dict[str, Any]:
    """A project's series."""
    return page_of(_find(request, slug, wanted), cursor)


@router.get("/projects/{slug:slug}/trends", response=Page[TrendOut])
def trends(
    request: HttpRequest,
    slug: str,
    wanted: Query[SeriesFilter],
    ask: Query[TrendAsk],
    cursor: Query[Cursor],
) -> dict[str, Any]:
    """A project's series with their newest points."""
    page = page_of(_find(request, slug, wanted), cursor)
    values = recent_values(series=page["items"], builds=ask.builds)
    for row in page["items"]:
        row.recent = values[row.pk]
    return page


@router.get("/series/{series_id}", response=SeriesOut)
def one_series(request: HttpRequest, series_id: RowId) -> Series:
    """One series."""
    return row_seen(request, Series.objects.all(), pk=series_id)


@router.get("/series/{series_id}/points", response=Page[PointOut])
def points(
    request: HttpRequest, series_id: RowId, span: Query[Span], cursor: Query[PointCursor]
) -> dict[str, Any]:
    """The points of a series between two ordinals."""
    wanted = row_seen(request, Series.objects.all(), pk=series_id)
    rows = wanted.points.filter(ordinal__range=(span.first, span.last))
    return page_of(rows, cursor, by="ordinal")


@router.get("/series/{series_id}/samples", response=list[SamplesOut], throttle=heavy("samples"))
def series_samples(request: HttpRequest, series_id: RowId, span: Query[Span]) -> list[PointSamples]:
    """The raw samples behind the points between two ordinals: of the newest 50, at most 200 each.

    Of more samples evenly spaced ones are told, the least and the largest among them.
    """
    wanted = row_seen(request, Series.objects.all(), pk=series_id)
    return samples_span(series=wanted, first=span.first, last=span.last)


@router.get("/series/{series_id}/environments", response=list[EnvironmentStepOut])
def series_environments(request: HttpRequest, series_id: RowId) -> list[dict[str, Any]]:
    """Where the environment of a series changed, the oldest change first."""
    wanted = row_seen(request, Series.objects.all(), pk=series_id)
    return [
        {
            "ordinal": ordinal,
            "before": before.pk,
            "after": after.pk,
            "changed": {
                name: [before.facts.get(name), after.facts.get(name)]
                for name in sorted({*before.facts, *after.facts})
                if before.facts.get(name) != after.facts.get(name)
            },
        }
        for ordinal, before, after in environment_steps(series=wanted)
    ]


@router.get("/builds/{build_id}/points", response=Page[MeasuredOut])
def build_points(request: HttpRequest, build_id: RowId, cursor: Query[Cursor]) -> dict[str, Any]:
    """What was measured of a build, with the series."""
    found = row_seen(request, Build.objects.all(), pk=build_id)
    return page_of(Measurement.objects.filter(build=found).select_related("series"), cursor)


@router.get("/projects/{slug:slug}/environments", response=Page[EnvironmentOut], tags=["environments"])
def environments(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The environments that a project was measured in."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    here = Report.objects.filter(environment_id=OuterRef("pk"), job__run__build__project=project)
    return page_of(Environment.objects.filter(Exists(here)), cursor)


@router.get("/environments/{environment_id}", response=EnvironmentOut, tags=["environments"])
def environment(request: HttpRequest, environment_id: RowId) -> Environment:
    """One environment; it is there for whoever may see a project that was measured in it."""
    reports = rows_seen(request, Report.objects.filter(environment_id=environment_id), project=_PROJECT)
    report = reports.select_related("environment").first()
    if report is None:
        raise NotFoundError(f"no environment with pk {environment_id}, or not for this reader")
    return report.environment
