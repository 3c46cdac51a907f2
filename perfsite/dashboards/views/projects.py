"""A project at a glance, its builds, and one build."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.paginator import Page
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from perfsite.core.errors import NotFoundError
from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.selectors.builds import build_rows, builds_recent
from perfsite.dashboards.selectors.incidents import incidents_list
from perfsite.dashboards.selectors.jobs import jobs_failed, jobs_queued_count, jobs_running
from perfsite.dashboards.selectors.levels import levels_of
from perfsite.dashboards.selectors.moved import moved_groups
from perfsite.dashboards.selectors.workers import workers_unserved
from perfsite.dashboards.views.overviews import (
    builds_table,
    failed_table,
    incidents_table,
    running_table,
)
from perfsite.dashboards.views.reading import page, page_of
from perfsite.dashboards.views.twins import page_render
from perfsite.regressions.models import Incident
from perfsite.runs.models import Project
from perfsite.runs.selectors import build_may_be_measured

_RECENT = 10
_MOVED_BUILDS = 40


@require_safe
@page
def project_overview(request: HttpRequest, slug: str) -> HttpResponse:
    """What moved, what runs, what failed, the newest builds."""
    project = project_get(request=request, slug=slug)
    recent = list(builds_recent(project=project)[:_MOVED_BUILDS])
    rows = build_rows(builds=recent)
    context: dict[str, Any] = {
        "project": project,
        "tab": "overview",
        "rows": rows[:_RECENT],
        "strip": rows[::-1],
        "moved": moved_groups(project=project, builds=recent),
        "running": jobs_running(projects=[project]),
        "queued": jobs_queued_count(projects=[project]),
        "unserved": workers_unserved(now=timezone.now()),
        "failed": jobs_failed(project=project),
        "levels": levels_of(project=project),
        "webhook_url": f"{settings.SITE_URL}/webhooks/github/{project.slug}/",
        "incidents": _untriaged(project),
    }
    return page_render(
        request,
        "dashboards/project.html",
        context,
        tables=lambda: [
            builds_table(rows),
            incidents_table(context["incidents"]),
            running_table(context["running"]),
            failed_table(context["failed"]),
        ],
    )


def _untriaged(project: Project) -> list[Incident]:
    rows = incidents_list(projects=[project]).filter(state="untriaged")
    return list(rows.annotate(regression_count=Count("regressions"))[:5])


@require_safe
@page
def builds(request: HttpRequest, slug: str) -> HttpResponse:
    """Every build of a project, the newest first."""
    project = project_get(request=request, slug=slug)
    shown: Page = page_of(request, builds_recent(project=project))
    rows = build_rows(builds=list(shown))
    context = {"project": project, "tab": "builds", "page": shown, "rows": rows}
    return page_render(request, "dashboards/builds.html", context, tables=lambda: [builds_table(rows)])


@require_safe
@page
def build(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One build; with a single run its page is the run's."""
    project = project_get(request=request, slug=slug)
    found = project.builds.filter(pk=pk).first()
    if found is None:
        raise NotFoundError(f"There is no build {pk} in {slug}. Its Builds page lists those that are.")
    row = build_rows(builds=[found])[0]
    if len(row.runs) == 1:
        return redirect("run", row.runs[0].pk)
    may_measure = build_may_be_measured(build=found)
    context = {"project": project, "tab": "builds", "row": row, "may_measure": may_measure}
    return page_render(request, "dashboards/build.html", context, tables=lambda: [builds_table([row])])
