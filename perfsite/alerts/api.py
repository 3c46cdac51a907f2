"""The API of notifications, of what was decided about telling, and of the outbox."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from ninja import Query, Router

from perfsite.access.auth import MACHINES_AND_PEOPLE, MANAGERS, actor_of
from perfsite.access.readers import row_owned, site_wide
from perfsite.alerts.api_schemas import MailOut, MailTextOut, NotificationOut, TellingOut
from perfsite.alerts.models import Notification, OutboxMail, Telling
from perfsite.alerts.services import notification_again
from perfsite.core.errors import ConflictError, NotFoundError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import RowId
from perfsite.regressions.models import Incident
from perfsite.runs.models import Project

router = Router(auth=MACHINES_AND_PEOPLE, tags=["notifications"])


def _notifications(project: Project) -> QuerySet[Notification]:
    rows = Notification.objects.filter(Q(incident__project=project) | Q(channel__project=project))
    return rows.select_related("channel")


@router.get("/projects/{slug:slug}/notifications", response=Page[NotificationOut])
def notifications(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """Who was told, or is to be told, of a project's incidents; also of a public one not for strangers."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    return page_of(_notifications(project), cursor)


@router.post(
    "/projects/{slug:slug}/notifications/{notification_id}/again", response=NotificationOut, auth=MANAGERS
)
def notify_again(request: HttpRequest, slug: str, notification_id: RowId) -> Notification:
    """Send a failed or uncertain notification once more."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    found = _notifications(project).filter(pk=notification_id).first()
    if found is None:
        raise NotFoundError(f"{slug} has no notification {notification_id}; /notifications lists them")
    if not notification_again(notification=found, actor=actor_of(request)):
        raise ConflictError(
            f"notification {found.pk} is {found.state}: only one that failed or is uncertain, and names "
            "somebody, is sent again"
        )
    return _notifications(project).get(pk=found.pk)


@router.get("/incidents/{incident_id}/tellings", response=list[TellingOut])
def tellings(request: HttpRequest, incident_id: RowId) -> list[Telling]:
    """What was decided about telling of an incident: by whom it is heard, when, and why."""
    found = row_owned(request, Incident.objects.all(), pk=incident_id)
    return list(found.tellings.select_related("channel", "rule").order_by("id"))


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
