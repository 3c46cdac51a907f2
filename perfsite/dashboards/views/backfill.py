"""Orders to measure what was not measured: one commit, or those in an incident's range."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from perfsite.core.errors import NotFoundError, PerfsiteError
from perfsite.dashboards.formatting import plural
from perfsite.dashboards.selectors.access import incident_get, project_get
from perfsite.dashboards.selectors.incidents import builds_between
from perfsite.dashboards.views.reading import page
from perfsite.runs.backfill import MOST_BUILDS, backfill_order
from perfsite.runs.models import Build, Project


@require_POST
@login_required
@page
def build_measure(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Measure one commit."""
    project = project_get(request=request, slug=slug)
    found = project.builds.filter(pk=pk).first()
    if found is None:
        raise NotFoundError(f"There is no build {pk} in {slug}. Its Builds page lists those that are.")
    _order(request, project, [found])
    return redirect("build", slug, pk)


@require_POST
@login_required
@page
def range_measure(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Measure every commit between an incident's good build and the accused one."""
    incident = incident_get(request=request, slug=slug, pk=pk)
    _order(request, incident.project, builds_between(incident=incident, most=MOST_BUILDS))
    return redirect("incident", slug, pk)


def _order(request: HttpRequest, project: Project, builds: list[Build]) -> None:
    """Order it and say what became of it."""
    try:
        done = backfill_order(project=project, builds=builds)
    except PerfsiteError as error:
        messages.error(request, f"Not queued: {error}.")
        return
    if done.jobs:
        messages.info(request, f"Queued behind the heads: {plural(len(done.jobs), 'job')}.")
    elif not done.refused:
        messages.info(request, "Nothing was queued: everything is measured, or waits already.")
    for _, why in done.refused[:5]:
        messages.error(request, f"Not queued: {why}.")
