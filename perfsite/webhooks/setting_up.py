"""Connecting a forge: the secret both sides share, and a test delivery that proves the way."""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import dataclass

import httpx
from django.conf import settings
from django.urls import reverse

from perfsite.runs.models import Project
from perfsite.webhooks.signature import signature_make

_ANSWER_S = 10.0
_WORDS = 300


@dataclass(frozen=True)
class Trial:
    """What a test delivery came to: whether the intake answered it as it answers a forge, and a sentence."""

    arrived: bool
    sentence: str


def webhook_url(*, project: Project, forge: str) -> str:
    """Where a forge delivers, as the site's address says it from outside."""
    return settings.SITE_URL.rstrip("/") + reverse("webhook", args=[forge, project.slug])


def secret_renew(*, project: Project) -> str:
    """Give the project a new secret; the old one opens nothing from now on."""
    project.webhook_secret = secrets.token_hex(32)
    project.save(update_fields=["webhook_secret"])
    return project.webhook_secret


def trial_send(*, project: Project) -> Trial:
    """Deliver a signed ping to the site's own address, over the network as a forge would.

    It proves the address, what stands before the site (proxy, TLS) and the signature; not that the forge
    reaches the same address.  The address is the operator's own setting, so the guard on what people name
    does not judge it.
    """
    url = webhook_url(project=project, forge="github")
    body = json.dumps({"zen": "a test delivery", "hook_id": 0}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": f"test-{uuid.uuid4()}",
        "X-Hub-Signature-256": signature_make(secret=project.webhook_secret, body=body),
    }
    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=_ANSWER_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        told = str(error) or type(error).__name__
        return Trial(
            False,
            f"{url} did not answer: {told[:_WORDS]}; check PERFSITE_URL and what stands before the site",
        )
    if answer.status_code == httpx.codes.OK:
        return Trial(True, f"{url} took the test delivery in {answer.elapsed.total_seconds() * 1000:.0f} ms")
    return Trial(
        False, f"{url} answered {answer.status_code} instead of 200: {answer.text[:_WORDS] or 'nothing more'}"
    )
