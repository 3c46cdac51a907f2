"""The chart's data of one series."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from perfsite.dashboards import formatting
from perfsite.dashboards.charts.forge import diff_url
from perfsite.dashboards.charts.series import buckets_columns, level_rows, points_columns
from perfsite.dashboards.selectors.access import series_get
from perfsite.dashboards.selectors.levels import bound_text, standings_of
from perfsite.dashboards.selectors.series import build_moments, environment_rows, series_notes
from perfsite.dashboards.selectors.verdicts import series_changes
from perfsite.dashboards.views.reading import number_of, page
from perfsite.regressions.models import Verdict
from perfsite.results.models import Series
from perfsite.results.rows import Extent
from perfsite.results.selectors import (
    MAX_POINTS,
    series_buckets,
    series_extent,
    series_points,
    series_span_count,
)


@require_safe
@page
def series_data(request: HttpRequest, pk: int) -> HttpResponse:
    """Points, or buckets for a long span; `first` and `last` narrow it to a zoom.

    The whole series comes with its change points, environment changes and notes; a zoom has only its points.
    """
    found = series_get(request=request, pk=pk)
    extent = series_extent(series=found)
    if extent.first is None or extent.last is None:
        return JsonResponse({"mode": "empty"})
    first, last = number_of(request, "first"), number_of(request, "last")
    data = _columns(found, extent, first, last)
    if data["mode"] == "buckets" and "times" in request.GET:
        moments = build_moments(series=found, ordinals=data["first"])
        data["time"] = [moments.get(ordinal) for ordinal in data["first"]]
    lines = [(row.bound, bound_text(row), row.is_met) for row in standings_of(series=found)]
    data["levels"] = level_rows(lines, factor=data["factor"])
    data |= {"from": extent.first, "to": extent.last, "label": found.label}
    if first is None and last is None:
        data |= _marks(found, extent)
    return JsonResponse(data)


def _columns(series: Series, extent: Extent, first: int | None, last: int | None) -> dict[str, Any]:
    start = extent.first if first is None else first
    end = extent.last if last is None else last
    assert start is not None
    assert end is not None
    whole = first is None and last is None
    count = extent.points if whole else series_span_count(series=series, first=start, last=end)
    if count > MAX_POINTS:
        return buckets_columns(series_buckets(series=series, first=start, last=end), metric=series.metric)
    return points_columns(series_points(series=series, first=start, last=end), metric=series.metric)


def _marks(series: Series, extent: Extent) -> dict[str, Any]:
    return {
        "marks": [_mark(change) for change in series_changes(series=series)],
        "environments": [
            {"x": row["ordinal"], "label": row["label"], "time": row["at"] and row["at"].isoformat()}
            for row in environment_rows(series=series, extent=extent)
        ],
        "notes": [
            {"x": note.build.ordinal, "text": note.text, "author": note.author}
            for note in series_notes(series=series)
        ],
        "diff": diff_url(series.project.repo, "BASE", "HEAD"),
    }


def _mark(verdict: Verdict) -> dict[str, Any]:
    """A change point for the chart: where, which way, how much, and the incident if there is one."""
    incident = verdict.regression.incident if hasattr(verdict, "regression") else None
    return {
        "x": verdict.build.ordinal,
        "kind": verdict.kind,
        "change": formatting.change_text(verdict.relative, verdict.relative_low, verdict.relative_high),
        "sentence": verdict.sentence,
        "url": reverse("incident", args=[incident.project.slug, incident.pk]) if incident else None,
    }
