"""The one-time login link."""

from __future__ import annotations

import ipaddress

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET

from perfsite.access.services import login_link_use


@require_GET
def login_link(request: HttpRequest, secret: str) -> HttpResponse:
    """Log the link's user in and go to `next`; only from this very machine, only once."""
    # behind a proxy on this machine every request comes from loopback: the name it asked for tells
    host = request.get_host().rsplit(":", 1)[0].strip("[]")
    if not (_is_loopback(request.META.get("REMOTE_ADDR", "")) and _is_loopback(host)):
        return HttpResponseForbidden("A login link works only on the machine that made it.")
    user = login_link_use(secret=secret)
    if user is None:
        return HttpResponseForbidden(
            "This login link was used already or is too old. Make a new one: python manage.py login_link"
        )
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    target = request.GET.get("next", "/")
    safe = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return redirect(target if safe else "/")


def _is_loopback(address: str) -> bool:
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
