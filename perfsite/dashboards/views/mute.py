"""The page that a message's mute link opens: it asks, and a POST mutes.  The signed link is the right to."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from perfsite.alerts.configuring import incident_mute
from perfsite.alerts.mute_links import mute_incident
from perfsite.core.errors import NotFoundError, PerfsiteError
from perfsite.dashboards.forms.alerts import MuteForm, mute_initial
from perfsite.dashboards.selectors.incidents import series_of


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def mute(request: HttpRequest, token: str) -> HttpResponse:
    """Ask whether an incident's series are to be muted; mail scanners that open links change nothing."""
    try:
        incident = mute_incident(token=token)
    except NotFoundError as error:
        return render(request, "404.html", {"sentence": str(error)}, status=404)
    form = MuteForm(request.POST or None, initial=mute_initial())
    muted = 0
    if request.method == "POST" and form.is_valid():
        actor = request.user.get_username() or "somebody with the link"
        try:
            muted = incident_mute(
                incident=incident, until=form.moment(), reason=form.cleaned_data["reason"], actor=actor
            )
        except PerfsiteError as error:
            form.add_error(None, str(error))
    context = {"incident": incident, "form": form, "muted": muted, "series": series_of(incident=incident)}
    return render(request, "dashboards/mute.html", context)
