"""The ASGI entry point."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from perfsite.webhooks.limit import body_limited

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "perfsite.settings")

# a body over its limit is refused before it is spooled to disk
application = body_limited(
    get_asgi_application(),
    {"/webhooks/": settings.WEBHOOK_MAX_BYTES, "/api/v1/": settings.ARTIFACT_MAX_BYTES},
)

from perfsite.core.garbage import startup_freeze  # noqa: E402 - the apps must be loaded first
from perfsite.runs.sweep import site_started  # noqa: E402

startup_freeze()
site_started()
