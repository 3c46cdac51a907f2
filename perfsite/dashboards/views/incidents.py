"""Incidents: the list, and one with its evidence and triage."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from perfsite.core.errors import PerfsiteError
from perfsite.dashboards.selectors.access import incident_get, project_get, projects_readable
from perfsite.dashboards.selectors.attribution import attribution_shown
from perfsite.dashboards.selectors.bisection import accusation_shown, bisection_shown
from perfsite.dashboards.selectors.events import events_of
from perfsite.dashboards.selectors.incidents import (
    builds_between,
    incidents_list,
    notifications_of,
    regressions_by_model,
    regressions_of,
    verdict_evidence,
)
from perfsite.dashboards.selectors.layers import layers_shown
from perfsite.dashboards.selectors.levels import bound_text, standings_breached
from perfsite.dashboards.views.reading import page, page_of
from perfsite.regressions.causes.recheck import incident_recheck
from perfsite.regressions.incident_states import PERSON_STATES
from perfsite.regressions.models import Incident, Regression
from perfsite.regressions.selectors import Accusation, case_of
from perfsite.regressions.triage import incident_triage
from perfsite.runs.reproduce import reproduce_lines


class TriageForm(forms.Form):
    """What a person decides about an incident."""

    state = forms.ChoiceField(choices=[(state, f"{state}: {says}") for state, says in PERSON_STATES.items()])
    note = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 4}))


@require_safe
@page
def incidents(request: HttpRequest) -> HttpResponse:
    """The incidents of every project this reader may see."""
    shown = page_of(request, incidents_list(projects=list(projects_readable(request=request))))
    return render(request, "dashboards/incidents.html", {"page": shown})


@require_safe
@page
def project_incidents(request: HttpRequest, slug: str) -> HttpResponse:
    """The incidents of one project."""
    project = project_get(request=request, slug=slug)
    shown = page_of(request, incidents_list(projects=[project]))
    context = {"project": project, "tab": "incidents", "page": shown}
    return render(request, "dashboards/incidents.html", context)


@require_safe
@page
def incident(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One incident: the worst series' chart, the evidence, every regression, the triage."""
    found = incident_get(request=request, slug=slug, pk=pk)
    regressions = regressions_of(incident=found)
    worst = regressions[0] if regressions else None
    accused, told = accusation_shown(incident=found, worst=worst)
    context = {
        "incident": found,
        "accused": accused,
        "told": told,
        "project": found.project,
        "tab": "incidents",
        "worst": worst,
        "standings": [(row, bound_text(row)) for row in standings_breached(incident=found)],
        "evidence": verdict_evidence(regression=worst) if worst else None,
        "groups": regressions_by_model(regressions=regressions),
        "count": len(regressions),
        "attribution": attribution_shown(incident=found, worst=worst),
        "bisection": bisection_shown(incident=found, worst=worst),
        "layers": layers_shown(incident=found, worst=worst),
        "between": builds_between(incident=found),
        "notifications": notifications_of(incident=found),
        "events": events_of(incident=found),
        "reproduce": _reproduce(found, worst, accused) if worst else [],
        "form": TriageForm(initial={"state": found.state, "note": found.note}),
    }
    return render(request, "dashboards/incident.html", context)


def _reproduce(found: Incident, worst: Regression, accused: Accusation) -> list[str]:
    """How to measure the worst series' case at home; nothing when its job is gone."""
    job, case = worst.verdict.job, case_of(verdict=worst.verdict)
    if job is None or case is None:
        return []
    return reproduce_lines(job.spec, sha=accused.build.sha, repo=found.project.repo, cases=[case])


@require_POST
@login_required
@page
def recheck(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Compare the accused build with the good one again."""
    found = incident_get(request=request, slug=slug, pk=pk)
    try:
        incident_recheck(incident=found, actor=request.user.get_username())
    except PerfsiteError as error:
        messages.error(request, f"Not queued: {error}.")
    else:
        messages.info(
            request, "Queued: both builds are compared once more; the outcome becomes an event here."
        )
    return redirect("incident", slug, pk)


@require_POST
@login_required
@page
def triage(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Store what a person decided."""
    found = incident_get(request=request, slug=slug, pk=pk)
    form = TriageForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"Not stored: {'; '.join(form.errors.as_text().split('* ')[1:])}")
        return redirect("incident", slug, pk)
    incident_triage(
        incident=found,
        state=form.cleaned_data["state"],
        note=form.cleaned_data["note"],
        actor=request.user.get_username(),
    )
    messages.info(request, "Stored.")
    return redirect("incident", slug, pk)
