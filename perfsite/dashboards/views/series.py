"""One series: its chart, its change points, its points as a table."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from perfsite.dashboards.charts.forge import diff_url
from perfsite.dashboards.selectors.access import series_get
from perfsite.dashboards.selectors.levels import bound_text, standings_of
from perfsite.dashboards.selectors.series import (
    between_of,
    environment_newest,
    environment_rows,
    point_lines,
    point_picked,
    series_alike,
    series_notes,
    series_siblings,
    series_spread,
)
from perfsite.dashboards.selectors.verdicts import series_changes
from perfsite.dashboards.views.reading import number_of, page
from perfsite.dashboards.views.twins import Table, page_render
from perfsite.regressions.confirmation.asked import mark_of
from perfsite.results.models import Series
from perfsite.results.selectors import series_extent, series_points

_TABLE_ROWS = 50
_TWIN_ROWS = 20_000


@require_safe
@page
def series(request: HttpRequest, pk: int) -> HttpResponse:
    """The series' page; the chart asks for its data itself.

    `build` picks a point; `first`, `last`, `also`, `normal`, `log` and `x` are the chart's (see `series.js`).
    """
    found = series_get(request=request, pk=pk)
    extent = series_extent(series=found)
    newest = None if extent.last is None else max(0, extent.last - _TABLE_ROWS + 1)
    points = series_points(series=found, first=newest)
    changes = series_changes(series=found)
    build_id = number_of(request, "build")
    picked = point_picked(series=found, build_id=build_id) if build_id is not None else None
    context = {
        "series": found,
        "project": found.project,
        "tab": "trends",
        "extent": extent,
        "points": point_lines(points=points, changes=changes),
        "changes": changes[::-1],
        "siblings": series_siblings(series=found),
        "alike": series_alike(series=found),
        "also": request.GET.get("also", "").split(","),
        "last": points[-1] if points else None,
        "environment": environment_newest(series=found),
        "steps": environment_rows(series=found, extent=extent),
        "standings": [(row, bound_text(row)) for row in standings_of(series=found)],
        "spread": series_spread(series=found),
        "notes": series_notes(series=found),
        "picked": picked,
        "between": between_of(series=found, picked=picked) if picked is not None else None,
        "picked_diff": _diff(found, picked),
        "marked": picked is not None and mark_of(series=found, build_id=picked.point.build_id) is not None,
    }
    return page_render(request, "dashboards/series.html", context, tables=lambda: _tables(request, found))


def _diff(series: Series, picked: Any) -> str:
    if picked is None or picked.before is None:
        return ""
    return diff_url(series.project.repo, picked.before.sha, picked.point.sha)


def _tables(request: HttpRequest, series: Series) -> list[Table]:
    """The points of the zoom and the change points; values in the metric's own unit."""
    first, last = number_of(request, "first"), number_of(request, "last")
    points = series_points(series=series, first=first, last=last)[-_TWIN_ROWS:]
    columns = (
        "ordinal",
        "sha",
        "committed_at",
        "author",
        "subject",
        "value",
        "ci_low",
        "ci_high",
        "n",
        "unstable",
    )
    rows = [
        (
            row.ordinal, row.sha, row.committed_at.isoformat() if row.committed_at else None, row.author,
            row.subject, row.value, row.ci_low, row.ci_high, row.n, row.unstable,
        )
        for row in points
    ]  # fmt: skip
    changes = [
        (row.build.ordinal, row.build.sha, row.kind, row.before, row.after, row.relative, row.relative_low,
         row.relative_high, row.stage, row.sentence)
        for row in series_changes(series=series)
    ]  # fmt: skip
    names = ("ordinal", "sha", "verdict", "before", "after", "relative", "relative_low", "relative_high")
    return [Table("points", columns, rows), Table("changes", (*names, "stage", "sentence"), changes)]
