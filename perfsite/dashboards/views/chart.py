"""An incident's picture at a signed address, for the servers of chats: the address is the right to it."""

from __future__ import annotations

import math

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from perfsite.access.limits import stranger_wait
from perfsite.alerts.chart_links import KEPT, chart_shown
from perfsite.core.errors import NotFoundError


@require_safe
def chart(request: HttpRequest, token: str) -> HttpResponse:
    """The PNG; everything that is not one looks alike."""
    if wait := stranger_wait(request):
        return HttpResponse(status=429, headers={"Retry-After": str(math.ceil(wait))})
    try:
        picture = chart_shown(token=token)
    except NotFoundError:
        return HttpResponse(status=404)
    headers = {"Cache-Control": f"public, max-age={KEPT.seconds}", "X-Robots-Tag": "noindex"}
    return HttpResponse(picture, content_type="image/png", headers=headers)
