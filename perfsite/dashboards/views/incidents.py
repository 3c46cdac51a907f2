"""Incidents: the list, and one with its evidence and triage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from perfsite.access.privacy import is_insider
from perfsite.core.errors import PerfsiteError
from perfsite.dashboards.forms.alerts import MuteForm, mute_initial
from perfsite.dashboards.forms.triage import DetailsForm, TriageForm, details_initial
from perfsite.dashboards.selectors.access import incident_get, project_get, projects_readable
from perfsite.dashboards.selectors.attribution import attribution_shown
from perfsite.dashboards.selectors.bisection import accusation_shown, accusations_shown, bisections_shown
from perfsite.dashboards.selectors.events import events_of
from perfsite.dashboards.selectors.incidents import (
    Worst,
    builds_between,
    incidents_list,
    incidents_worst,
    mergeable_with,
    notifications_of,
    regressions_by_model,
    regressions_of,
    tellings_of,
    verdict_evidence,
)
from perfsite.dashboards.selectors.levels import bound_text, standings_breached
from perfsite.dashboards.views.reading import page, page_of
from perfsite.dashboards.views.twins import Table, page_render
from perfsite.regressions.assigning import assignee_of
from perfsite.regressions.bisection.accusing import Accusation
from perfsite.regressions.causes.recheck import incident_recheck
from perfsite.regressions.incident_filter import IncidentFilter, incidents_filtered
from perfsite.regressions.incident_states import PERSON_STATES, STATES
from perfsite.regressions.layers import layers_shown
from perfsite.regressions.models import Incident, IncidentEvent, Regression
from perfsite.regressions.selectors import case_of
from perfsite.regressions.triage import incident_triage
from perfsite.runs.models import Project
from perfsite.runs.reproduce import reproduce_lines
from perfsite.runs.selectors import file_url


def _filter(request: HttpRequest) -> IncidentFilter:
    asked = {name: request.GET.get(name, "").strip()[:254] for name in IncidentFilter.__dataclass_fields__}
    if "@" in asked["assignee"] and not request.user.is_authenticated:
        asked["assignee"] = ""  # or whoever guesses an address would learn whose incidents are its owner's
    return IncidentFilter(**asked)


def _list(request: HttpRequest, projects: list[Project], **more: object) -> HttpResponse:
    wanted = _filter(request)
    rows = incidents_filtered(incidents_list(projects=projects), wanted)
    shown = page_of(request, rows)
    worst = incidents_worst(list(shown))
    context = {"page": shown, "worst": worst, "wanted": wanted, "states": STATES, "choices": PERSON_STATES}
    context |= {"kinds": Incident.Kind.values} | more
    return page_render(
        request, "dashboards/incidents.html", context, tables=lambda: [_table(list(shown), worst)]
    )


def _table(shown: Sequence[Incident], worst: Mapping[int, Worst]) -> Table:
    """The incidents of the page shown, each with its worst regression."""
    names = (
        "incident",
        "project",
        "state",
        "kind",
        "sha",
        "subject",
        "author",
        "opened_at",
        "due_on",
        "tags",
    )
    rows = []
    for row in shown:
        count, regression = worst[row.pk]
        series, verdict = (regression.series, regression.verdict) if regression else (None, None)
        rows.append(
            (
                row.pk, row.project.slug, row.state, row.kind, row.build.sha, row.build.subject,
                row.build.author_name, row.opened_at.isoformat(), row.due_on, " ".join(row.tags), count,
                series.label if series else None, verdict.relative if verdict else None,
            )
        )  # fmt: skip
    return Table("incidents", (*names, "regressions", "worst_series", "worst_relative"), rows)


@require_safe
@page
def incidents(request: HttpRequest) -> HttpResponse:
    """The incidents of every project this reader may see."""
    return _list(request, list(projects_readable(request=request)))


@require_safe
@page
def project_incidents(request: HttpRequest, slug: str) -> HttpResponse:
    """The incidents of one project."""
    project = project_get(request=request, slug=slug)
    return _list(request, [project], project=project, tab="incidents")


@require_safe
@page
def incident(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One incident: the worst series' chart, the evidence, every regression, the triage."""
    found = incident_get(request=request, slug=slug, pk=pk)
    regressions = regressions_of(incident=found)
    worst = regressions[0] if regressions else None
    accused, told = accusation_shown(incident=found, worst=worst)
    is_known = is_insider(request, found.project_id)
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
        "bisections": bisections_shown(incident=found),
        "accusations": accusations_shown(incident=found),
        "layers": layers_shown(incident=found, worst=worst),
        "between": builds_between(incident=found),
        # addresses of people are not for strangers, also where the project is public
        "is_known": is_known,
        "notifications": notifications_of(incident=found),
        "events": events_of(incident=found, is_known=is_known),
        "reproduce": _reproduce(found, worst, accused) if worst else [],
        "tellings": tellings_of(incident=found),
        "assignee": assignee_of(incident=found),
        "choices": PERSON_STATES,
        "others": mergeable_with(incident=found),
        "details_form": DetailsForm(initial=details_initial(found), auto_id="details-%s"),
        "mute_form": MuteForm(initial=mute_initial(), auto_id="mute-%s"),
        "form": TriageForm(initial={"state": found.state, "note": found.note}, auto_id="triage-%s"),
    }
    return page_render(
        request,
        "dashboards/incident.html",
        context,
        tables=lambda: _incident_tables(regressions, events_of(incident=found, is_known=is_known)),
    )


def _incident_tables(regressions: Sequence[Regression], happened: Sequence[IncidentEvent]) -> list[Table]:
    """The regressions, the worst first, and what happened; values in each metric's own unit."""
    rows = [
        (row.series_id, row.series.label, row.verdict.before, row.verdict.after, row.verdict.relative,
         row.verdict.relative_low, row.verdict.relative_high, row.verdict.sentence)
        for row in regressions
    ]  # fmt: skip
    names = ("series", "label", "before", "after", "relative", "relative_low", "relative_high", "sentence")
    events = [(row.at.isoformat(), row.code, row.sentence) for row in happened]
    return [Table("regressions", names, rows), Table("events", ("at", "code", "sentence"), events)]


def _reproduce(found: Incident, worst: Regression, accused: Accusation) -> list[str]:
    """How to measure the worst series' case at home; nothing when its job is gone."""
    job, case = worst.verdict.job, case_of(verdict=worst.verdict)
    if job is None or case is None:
        return []
    build = accused.build
    return reproduce_lines(
        job.spec, sha=build.sha, repo=found.project.repo, cases=[case], file=file_url(build)
    )


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
        reason=form.cleaned_data["reason"],
        actor=request.user.get_username(),
    )
    messages.info(request, "Stored.")
    return redirect("incident", slug, pk)
