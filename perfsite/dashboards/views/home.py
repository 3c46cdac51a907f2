"""The first page: the projects, what needs a person, what runs, the devices."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from perfsite.access.roles import Role, role_in
from perfsite.dashboards.selectors.access import project_get, projects_readable
from perfsite.dashboards.selectors.hardware import fitness_rows
from perfsite.dashboards.selectors.home import incidents_open, project_rows
from perfsite.dashboards.selectors.jobs import jobs_queued_count, jobs_running
from perfsite.dashboards.selectors.lately import SPANS, moved_counts, moved_since, moved_spread
from perfsite.dashboards.selectors.prices import prices_known
from perfsite.dashboards.selectors.workers import worker_cards, workers_unserved
from perfsite.dashboards.views.overviews import home_tables
from perfsite.dashboards.views.reading import page
from perfsite.dashboards.views.twins import page_render

_MOVED = 8  # rows on the first page; the rest is behind a link
_LOOKED = 100  # rows that they are chosen from


@require_safe
@page
def home(request: HttpRequest) -> HttpResponse:
    """Every project in one row; strangers see the public ones, or the way to log in."""
    projects = list(projects_readable(request=request))
    if not projects and not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    now = timezone.now()
    prices = prices_known() if request.user.is_authenticated else {}  # what a device costs is the operator's
    rank = "cost" if prices and request.GET.get("rank") == "cost" else "noise"
    since = now - SPANS["week"]
    ranked = moved_since(projects=projects, since=since, rank=rank, prices=prices)
    moved = moved_spread(list(ranked[:_LOOKED]), most=_MOVED)
    counts = moved_counts(projects=projects, since=now - SPANS["week"]) if moved else {}
    fitness = fitness_rows() if request.user.is_authenticated else []
    context = {
        "moved": moved,
        "rank": rank,
        "prices": prices,
        "moved_counts": counts,
        "moved_day": sum(moved_counts(projects=projects, since=now - SPANS["day"]).values()) if moved else 0,
        "moved_more": sum(counts.values()) - len(moved),
        "ill": [row for row in fitness if row.is_ill],
        "rows": project_rows(projects=projects),
        "incidents": incidents_open(projects=projects),
        "running": jobs_running(projects=projects),
        "queued": jobs_queued_count(projects=projects),
        "unserved": workers_unserved(now=now),
        "may_connect": role_in(request.user, None) is Role.ADMINISTRATOR,
        "cards": worker_cards(now=now, projects=projects) if request.user.is_authenticated else [],
    }
    return page_render(request, "dashboards/home.html", context, tables=lambda: home_tables(context))


@require_safe
@page
def live(request: HttpRequest) -> HttpResponse:
    """What runs now, as a fragment that asks for itself again; of one project with `?project=`."""
    slug = request.GET.get("project", "")
    project = project_get(request=request, slug=slug) if slug else None
    projects = [project] if project else list(projects_readable(request=request))
    context = {
        "running": jobs_running(projects=projects),
        "queued": jobs_queued_count(projects=projects),
        "unserved": workers_unserved(now=timezone.now()),
        "project": project,
    }
    return render(request, "dashboards/parts/live_jobs.html", context)
