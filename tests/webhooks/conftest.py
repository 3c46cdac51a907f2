"""A project and its signed deliveries."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from perfsite.runs.models import Project
from tests.webhooks.signing import SECRET, signed


@pytest.fixture
def project(db: None) -> Project:
    return Project.objects.create(
        slug="vision", name="Vision", repo="https://github.com/acme/Vision.git", webhook_secret=SECRET
    )


@pytest.fixture
def deliver(client: Client, project: Project) -> Callable[..., HttpResponse]:
    """Post a payload to the project, signed and numbered unless told otherwise."""
    numbers = count(1)

    def post(payload: Any, *, event: str = "push", forge: str = "github", slug: str = "vision",
             delivery: str | None = None, signature: str | None = None,
             content_type: str = "application/json") -> HttpResponse:  # fmt: skip
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        mark = "hub-" if forge == "github" else "perfsite-"
        headers = {
            f"x-{mark}signature-256": signed(body) if signature is None else signature,
            f"x-{forge if forge == 'github' else 'perfsite'}-delivery": delivery or f"id-{next(numbers)}",
            "x-github-event": event,
        }
        headers = {name: value for name, value in headers.items() if value != ""}
        return client.post(f"/webhooks/{forge}/{slug}/", body, content_type=content_type, headers=headers)

    return post
