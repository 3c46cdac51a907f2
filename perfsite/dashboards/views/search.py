"""One field over everything."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from perfsite.dashboards.selectors.access import projects_readable
from perfsite.dashboards.selectors.search import everything_find
from perfsite.dashboards.views.overviews import search_tables
from perfsite.dashboards.views.reading import page
from perfsite.dashboards.views.twins import page_render


@require_safe
@page
def search(request: HttpRequest) -> HttpResponse:
    """Projects, commits, series and incidents that match `?q=`."""
    text = request.GET.get("q", "").strip()[:200]
    found = everything_find(text=text, projects=list(projects_readable(request=request)))
    context = {"text": text, "found": found}
    return page_render(request, "dashboards/search.html", context, tables=lambda: search_tables(found))
