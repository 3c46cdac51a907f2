"""One series: its chart, its change points, its points as a table."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from perfsite.dashboards import formatting
from perfsite.dashboards.charts.series import (
    Delta,
    buckets_columns,
    deltas_of,
    facts_changed,
    facts_label,
    level_rows,
    points_columns,
)
from perfsite.dashboards.selectors.access import series_get
from perfsite.dashboards.selectors.levels import bound_text, standings_of
from perfsite.dashboards.selectors.verdicts import series_changes
from perfsite.dashboards.views.reading import page
from perfsite.regressions.models import Verdict
from perfsite.results.metrics import metric_is_judged
from perfsite.results.models import Measurement, Series
from perfsite.results.rows import PointRow
from perfsite.results.selectors import (
    MAX_POINTS,
    environment_steps,
    series_buckets,
    series_extent,
    series_points,
)

_TABLE_ROWS = 50


@require_safe
@page
def series(request: HttpRequest, pk: int) -> HttpResponse:
    """The series' page; the chart asks for its data itself."""
    found = series_get(request=request, pk=pk)
    extent = series_extent(series=found)
    newest = None if extent.last is None else max(0, extent.last - _TABLE_ROWS + 1)
    points = series_points(series=found, first=newest)
    changes = series_changes(series=found)
    moved = {change.build_id: change for change in changes}
    context = {
        "series": found,
        "project": found.project,
        "tab": "trends",
        "extent": extent,
        "points": _table_rows(points, moved),
        "changes": changes[::-1],
        "siblings": _siblings(found),
        "standings": [(row, bound_text(row)) for row in standings_of(series=found)],
        "last": points[-1] if points else None,
        "environment": _newest_environment(found),
        "steps": _environment_rows(found),
    }
    return render(request, "dashboards/series.html", context)


@require_safe
@page
def series_data(request: HttpRequest, pk: int) -> HttpResponse:
    """The chart's data: points, or buckets for a long span; `first` and `last` narrow it to a zoom."""
    found = series_get(request=request, pk=pk)
    extent = series_extent(series=found)
    first = _ordinal(request, "first", extent.first)
    last = _ordinal(request, "last", extent.last)
    if first is None or last is None:
        return JsonResponse({"mode": "empty"})
    inside = Measurement.objects.filter(series=found, ordinal__range=(first, last))
    if inside.count() > MAX_POINTS:
        buckets = series_buckets(series=found, first=first, last=last)
        data = buckets_columns(buckets, metric=found.metric)
        values = [bucket.mean for bucket in buckets]
    else:
        points = series_points(series=found, first=first, last=last)
        data = points_columns(points, metric=found.metric)
        values = [point.value for point in points]
    lines = [(row.bound, bound_text(row), row.is_met) for row in standings_of(series=found)]
    data["levels"] = level_rows(lines, metric=found.metric, values=values)
    data["marks"] = [_mark(change) for change in series_changes(series=found)]
    data["environments"] = [{"x": row["ordinal"], "label": row["label"]} for row in _environment_rows(found)]
    return JsonResponse(data)


def _ordinal(request: HttpRequest, name: str, default: int | None) -> int | None:
    """A place on the branch from the address; what is no number counts as not given."""
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and default is not None else default


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


def _environment_rows(series: Series) -> list[dict[str, Any]]:
    rows = []
    for ordinal, before, after in environment_steps(series=series):
        changed = facts_changed(before.facts, after.facts)
        rows.append({"ordinal": ordinal, "label": facts_label(changed), "changed": changed})
    return rows


def _newest_environment(series: Series) -> Any:
    point = (
        Measurement.objects.filter(series=series, job__report__isnull=False)
        .select_related("job__report__environment")
        .order_by("-ordinal")
        .first()
    )
    return point.job.report.environment if point else None


def _siblings(series: Series) -> list[tuple[Series, str]]:
    """The metrics of the same case, for stepping sideways, with the suite where the title needs it.

    What is judged comes first.
    """
    same = {name: getattr(series, name) for name in ("model", "runner", "precision", "shape")}
    found = Series.objects.filter(
        project=series.project, branch=series.branch, device_class=series.device_class, **same
    )
    rows = sorted(found, key=lambda row: (not metric_is_judged(row.metric), row.suite, row.metric))
    times = Counter(row.metric for row in rows)
    return [(row, row.suite if times[row.metric] > 1 else "") for row in rows]


def _table_rows(
    points: list[PointRow], moved: dict[int, Verdict]
) -> list[tuple[PointRow, Delta | None, Verdict | None]]:
    """The points, the newest first, with their change and verdict."""
    rows = zip(points, deltas_of(points), strict=True)
    return [(point, delta, moved.get(point.build_id)) for point, delta in rows][::-1]
