"""What people do with incidents besides: details, many at once, merge, split, move, mute."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from perfsite.access.roles import Role, role_in
from perfsite.alerts.configuring import incident_mute
from perfsite.core.errors import NotFoundError, PerfsiteError
from perfsite.dashboards.forms.alerts import MuteForm
from perfsite.dashboards.forms.triage import BulkForm, DetailsForm
from perfsite.dashboards.selectors.access import incident_get, projects_readable
from perfsite.dashboards.selectors.incidents import incidents_named
from perfsite.dashboards.views.reading import page
from perfsite.regressions.models import Incident
from perfsite.regressions.regrouping import incident_merge, incident_reassign, incident_split
from perfsite.regressions.triage import incidents_triage
from perfsite.regressions.triage_details import incident_edit
from perfsite.runs.models import Build

Action = Callable[[HttpRequest, Incident], Incident | None]


def _on_incident(action: Action) -> Callable[..., HttpResponse]:
    """A POST of a person about one incident; what it refuses is told on the page that it came from.

    It goes on to the incident that the action returns, else to the same.
    """

    @require_POST
    @login_required
    @page
    @wraps(action)
    def answer(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
        found = incident_get(request=request, slug=slug, pk=pk)
        try:
            shown = action(request, found) or found
        except (PerfsiteError, ValueError) as error:
            messages.error(request, f"Not done: {error}.")
            shown = found
        return redirect("incident", slug, shown.pk)

    return answer


@_on_incident
def details(request: HttpRequest, incident: Incident) -> None:
    """Change whose it is, tags, links, due date."""
    form = DetailsForm(request.POST)
    if not form.is_valid():
        raise PerfsiteError("; ".join(form.errors.as_text().split("* ")[1:]))
    data = form.cleaned_data
    incident_edit(
        incident=incident,
        actor=request.user.get_username(),
        assignee=data["assignee"],
        tags=data["tags"],
        links=data["links"],
        due_on=data["due_on"] or "",
    )
    messages.info(request, "Stored.")


@_on_incident
def merge(request: HttpRequest, incident: Incident) -> Incident:
    """Give its regressions to another incident."""
    key = _number(request, "into", "incident")
    into = Incident.objects.filter(project=incident.project, pk=key).first()
    if into is None:
        raise NotFoundError(f"{incident.project.slug} has no incident {key}")
    incident_merge(
        incident=incident, into=into, actor=request.user.get_username(), reason=request.POST.get("reason", "")
    )
    messages.info(request, f"Merged into incident {into.pk}.")
    return into


@_on_incident
def split(request: HttpRequest, incident: Incident) -> Incident:
    """Give some of its regressions to an incident about another build."""
    going = [int(value) for value in request.POST.getlist("regressions") if value.isdecimal()]
    other = incident_split(
        incident=incident,
        regressions=going,
        build=_build(request, incident),
        actor=request.user.get_username(),
        reason=request.POST.get("reason", ""),
    )
    messages.info(request, f"Split: this is incident {other.pk}.")
    return other


@_on_incident
def move(request: HttpRequest, incident: Incident) -> None:
    """Accuse another build."""
    incident_reassign(
        incident=incident,
        build=_build(request, incident),
        actor=request.user.get_username(),
        reason=request.POST.get("reason", ""),
    )
    messages.info(request, "Moved; the first range is kept.")


@_on_incident
def mute_series(request: HttpRequest, incident: Incident) -> None:
    """Mute its series until a day."""
    form = MuteForm(request.POST)
    if not form.is_valid():
        raise PerfsiteError("; ".join(form.errors.as_text().split("* ")[1:]))
    actor, reason = request.user.get_username(), form.cleaned_data["reason"]
    count = incident_mute(incident=incident, until=form.moment(), reason=reason, actor=actor)
    messages.info(request, f"{count} series muted until {form.cleaned_data['until']}.")


@require_POST
@login_required
def bulk(request: HttpRequest) -> HttpResponse:
    """One word about all incidents that were ticked."""
    form = BulkForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Not stored: tick at least one incident and choose a state.")
    else:
        data = form.cleaned_data
        readable = projects_readable(request=request)
        own = [row for row in readable if role_in(request.user, row.pk) >= Role.TRIAGER]
        rows = incidents_named(projects=own, ids=data["incidents"])
        actor = request.user.get_username()
        moved = incidents_triage(incidents=rows, state=data["state"], actor=actor, reason=data["reason"])
        messages.info(request, f"{len(moved)} of {len(rows)} incidents are {data['state']} now.")
    back = request.POST.get("back", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return redirect(back if safe else "incidents")


def _number(request: HttpRequest, name: str, what: str) -> int:
    value = request.POST.get(name, "").strip().removeprefix("#")
    if not value.isdecimal() or len(value) > 18:
        raise PerfsiteError(f"{value[:20]!r} is no number of an {what}")
    return int(value)


def _build(request: HttpRequest, incident: Incident) -> Build:
    """The build of the project that a sha, or the first characters of one, names."""
    sha = request.POST.get("build", "").strip().lower()
    rows = Build.objects.filter(project=incident.project, branch=incident.build.branch)
    found = list(rows.filter(sha__startswith=sha)[:2]) if len(sha) >= 4 else []
    if len(found) != 1:
        raise PerfsiteError(
            f"{sha[:40]!r} names {'no' if not found else 'more than one'} build of the branch"
        )
    return found[0]
