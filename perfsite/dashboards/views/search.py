"""One field over everything."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from perfsite.dashboards.selectors.access import projects_readable
from perfsite.dashboards.selectors.search import everything_find
from perfsite.dashboards.views.reading import page


@require_safe
@page
def search(request: HttpRequest) -> HttpResponse:
    """Projects, commits, series and incidents that match `?q=`."""
    text = request.GET.get("q", "").strip()[:200]
    found = everything_find(text=text, projects=list(projects_readable(request=request)))
    return render(request, "dashboards/search.html", {"text": text, "found": found})
