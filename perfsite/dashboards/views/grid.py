"""The grid of one metric: where it is worse than the baseline, at a glance."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import replace_url

from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.selectors.grid import SORTS, Grid, baseline_of, grid_read, metrics_of
from perfsite.dashboards.views.reading import number_of, page
from perfsite.dashboards.views.twins import Table, page_render

_BACK = 100  # builds: about a week of a busy team


@require_safe
@vary_on_headers("HX-Request")
@page
def grid(request: HttpRequest, slug: str) -> HttpResponse:
    """`metric`, `base` (a commit) or `back` (builds), `q` and `sort`; only the table for htmx."""
    project = project_get(request=request, slug=slug)
    metrics = metrics_of(project=project)
    metric = request.GET.get("metric", "")
    metric = metric if metric in metrics else (metrics[0] if metrics else "")
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else SORTS[0]
    text, sha = request.GET.get("q", "").strip()[:200], request.GET.get("base", "").strip()[:64]
    back = number_of(request, "back") or _BACK
    base = baseline_of(project=project, sha=sha, back=back)
    found = grid_read(project=project, metric=metric, base=base, text=text, sort=sort)
    context = {
        "project": project,
        "tab": "grid",
        "metrics": metrics,
        "metric": metric,
        "grid": found,
        "text": text,
        "sha": sha,
        "back": back,
        "sort": sort,
        "sorts": SORTS,
    }
    if request.htmx:  # type: ignore[attr-defined]  # set by django-htmx's middleware
        answer = render(request, "dashboards/parts/grid_table.html", context)
        return replace_url(answer, request.get_full_path())
    return page_render(request, "dashboards/grid.html", context, tables=lambda: [_table(found, metric)])


def _table(found: Grid, metric: str) -> Table:
    rows = [
        (*row.names, model, metric, cell.value, cell.relative)
        for row in found.rows
        for model, cell in zip(found.models, row.cells, strict=True)
        if cell is not None
    ]
    columns = ("device_class", "runner", "precision", "shape", "model", "metric", "value", "relative")
    return Table("grid", columns, rows)
