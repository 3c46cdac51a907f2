"""The reading API of notifications and of the outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from ninja import Query, Router, Schema

from perfsite.access.auth import MACHINES_AND_PEOPLE
from perfsite.access.readers import row_owned, site_wide
from perfsite.alerts.models import Notification, OutboxMail
from perfsite.core.errors import NotFoundError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import RowId
from perfsite.runs.models import Project

router = Router(auth=MACHINES_AND_PEOPLE, tags=["notifications"])


class NotificationOut(Schema):
    """Somebody told of an incident by a channel, or to be told; `error` is of the last try."""

    id: int
    incident_id: int | None
    occasion: str
    channel: str
    recipient: str
    state: str
    tries: int
    error: str
    due_at: datetime
    created_at: datetime
    sent_at: datetime | None

    @staticmethod
    def resolve_channel(row: Notification) -> str:
        """The channel's name; empty when it was deleted."""
        return row.channel.name if row.channel else ""


class MailOut(Schema):
    """A mail that the embedded home kept instead of sending."""

    id: int
    message_id: str
    sender: str
    recipients: list[str]
    subject: str
    kept_at: datetime


class MailTextOut(MailOut):
    """A mail with its text."""

    text: str
    html: str


@router.get("/projects/{slug:slug}/notifications", response=Page[NotificationOut])
def notifications(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """Who was told, or is to be told, of a project's incidents; also of a public one not for strangers."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    rows = Notification.objects.filter(Q(incident__project=project) | Q(channel__project=project))
    return page_of(rows.select_related("channel"), cursor)


@router.get("/outbox", response=Page[MailOut])
def outbox(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """The mails that the embedded home kept; for tokens of the whole site."""
    site_wide(request)
    return page_of(OutboxMail.objects.all(), cursor)


@router.get("/outbox/{mail_id}", response=MailTextOut)
def mail(request: HttpRequest, mail_id: RowId) -> OutboxMail:
    """One mail; for tokens of the whole site."""
    site_wide(request)
    found = OutboxMail.objects.filter(pk=mail_id).first()
    if found is None:
        raise NotFoundError(f"no mail with pk {mail_id}; the outbox lists those that are")
    return found
