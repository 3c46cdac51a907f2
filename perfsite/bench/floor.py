"""The floor of the webhooks: a bare Django view that inserts one row, on the same server and database."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "perfsite.settings")
settings.MIDDLEWARE = []
settings.ROOT_URLCONF = "perfsite.bench.floor"

application = get_asgi_application()

from perfsite.webhooks.models import Delivery  # noqa: E402 - the apps must be loaded first


def insert(request: HttpRequest, project: int) -> HttpResponse:
    """One row of the table that an accepted webhook ends in."""
    Delivery.objects.create(
        project_id=project,
        forge="floor",
        delivery_id=request.headers["X-Delivery"],
        event="push",
        outcome="kept",
    )
    return HttpResponse(status=202)


def ready(_request: HttpRequest) -> HttpResponse:
    """It serves."""
    return HttpResponse()


urlpatterns = [path("floor/<int:project>/", insert), path("healthz", ready)]
