"""The workers, a card each."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from perfsite.dashboards.selectors.access import projects_readable
from perfsite.dashboards.selectors.workers import worker_cards, workers_unserved
from perfsite.dashboards.views.overviews import workers_tables
from perfsite.dashboards.views.reading import page
from perfsite.dashboards.views.twins import page_render

_INSTALL = "git clone PERFSITE_REPOSITORY perfsite && cd perfsite && pip install -e '.[gpu]'"


@require_safe
@vary_on_headers("HX-Request")
@login_required
@page
def workers(request: HttpRequest) -> HttpResponse:
    """Every worker and how to add one; only the cards for htmx."""
    now = timezone.now()
    cards = worker_cards(now=now, projects=projects_readable(request=request))
    context = {
        "cards": cards,
        "unserved": workers_unserved(now=now),
        "install_line": _INSTALL,
    }
    part = request.htmx  # type: ignore[attr-defined]  # set by django-htmx's middleware
    if part:
        return render(request, "dashboards/parts/worker_cards.html", context)
    return page_render(request, "dashboards/workers.html", context, tables=lambda: workers_tables(cards))
