"""All series of a project, narrowed as one types."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import replace_url

from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.selectors.trends import trend_groups, trend_rows
from perfsite.dashboards.views.reading import page
from perfsite.dashboards.views.twins import Table, page_render
from perfsite.results.models import Series
from perfsite.results.selectors import FACETS, facet_values, series_find

# more rows than this are no overview: the page asks for a narrower filter instead
_MOST = 120
_FACET_TITLES = {"shape": "batch and options", "device_class": "device"}


@require_safe
@vary_on_headers("HX-Request")
@page
def trends(request: HttpRequest, slug: str) -> HttpResponse:
    """The series that match the words and facets in the address; only the list for htmx."""
    project = project_get(request=request, slug=slug)
    text = request.GET.get("q", "").strip()
    chosen = {name: request.GET.get(name, "") for name in FACETS}
    found = series_find(project=project, text=text, facets=chosen)
    shown = list(found[: _MOST + 1])
    count = len(shown) if len(shown) <= _MOST else found.count()
    context = {
        "project": project,
        "tab": "trends",
        "text": text,
        "groups": trend_groups(rows=trend_rows(series=shown[:_MOST])),
        "count": count,
        "most": _MOST,
        "is_narrowed": bool(text or any(chosen.values())),
    }
    if request.htmx:  # type: ignore[attr-defined]  # set by django-htmx's middleware
        answer = render(request, "dashboards/parts/trend_list.html", context)
        kept = {name: value for name, value in {"q": text, **chosen}.items() if value}
        return replace_url(answer, f"{request.path}?{urlencode(kept)}" if kept else request.path)
    context["facets"] = [
        (name, _FACET_TITLES.get(name, name), values, chosen[name])
        for name, values in facet_values(project=project).items()
    ]
    return page_render(request, "dashboards/trends.html", context, tables=lambda: [_table(list(found))])


def _table(series: list[Series]) -> Table:
    """Every series that matches, not only those drawn, with its newest value in the metric's own unit."""
    rows = [
        (row.series.pk, *(getattr(row.series, name) for name in FACETS), row.last, row.change)
        for row in trend_rows(series=series)
    ]
    return Table("series", ("id", *FACETS, "newest", "relative"), rows)
