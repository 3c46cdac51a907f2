"""The API of incoming webhooks: what was delivered, how many were refused, the secret, a test delivery."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from perfsite.access.auth import MACHINES_AND_PEOPLE, MANAGERS
from perfsite.access.readers import row_owned
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.runs.models import Project
from perfsite.webhooks.models import Delivery, RefusalCount
from perfsite.webhooks.setting_up import Trial, secret_renew, trial_send

router = Router(auth=MACHINES_AND_PEOPLE, tags=["webhooks"])


class DeliveryOut(Schema):
    """A webhook whose signature was right, and what became of it."""

    id: int
    forge: str = Field(examples=["github"])
    delivery_id: str
    event: str = Field(examples=["push"])
    outcome: str = Field(examples=["accepted"])
    reason: str
    builds: int
    received_at: datetime


class RefusalOut(Schema):
    """How many deliveries were refused on a day, and for what."""

    id: int
    reason: str = Field(examples=["signature"])
    day: date
    count: int


class SecretOut(Schema):
    """A new webhook secret, which no other answer shows."""

    secret: str = Field(examples=["5f2b7c0d9e5f2b7c0d9e5f2b7c0d9e5f2b7c0d9e5f2b7c0d9e5f2b7c0d9e5f2b"])


class TrialOut(Schema):
    """What a test delivery came to."""

    arrived: bool
    sentence: str


@router.get("/projects/{slug:slug}/deliveries", response=Page[DeliveryOut])
def deliveries(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The webhooks that a project took; also of a public one not for strangers."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    return page_of(Delivery.objects.filter(project=project), cursor)


@router.get("/projects/{slug:slug}/refusals", response=Page[RefusalOut])
def refusals(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """How many webhooks were refused: a wrong secret shows here."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    return page_of(RefusalCount.objects.filter(project=project), cursor)


@router.post("/projects/{slug:slug}/webhook/secret", response=SecretOut, auth=MANAGERS)
def webhook_secret(request: HttpRequest, slug: str) -> dict[str, str]:
    """Give the project a new webhook secret; deliveries signed with the old one are refused at once."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    return {"secret": secret_renew(project=project)}


@router.post("/projects/{slug:slug}/webhook/test", response=TrialOut, auth=MANAGERS)
def webhook_trial(request: HttpRequest, slug: str) -> Trial:
    """Send a signed ping to the site's own address, as a forge would."""
    return trial_send(project=row_owned(request, Project.objects.all(), project="", slug=slug))
