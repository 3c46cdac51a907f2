"""A project's rules, channels, mutes and what was sent, for the alerts page."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from perfsite.alerts.models import Channel, Mute, Notification, Rule
from perfsite.alerts.selectors import mutes_running
from perfsite.core.errors import NotFoundError
from perfsite.runs.models import Project

Row = TypeVar("Row", bound=Model)


def alerts_shown(*, project: Project) -> dict[str, QuerySet[Any]]:
    """What the page lists, whole, for it to be shown in pages; nothing in it is a secret."""
    return {
        "rules": Rule.objects.filter(project=project).prefetch_related("channels").order_by("id"),
        "channels": Channel.objects.filter(project=project).defer("secrets").order_by("id"),
        "mutes": mutes_running(project=project, now=timezone.now()),
        "notifications": _notifications(project).order_by("-id"),
    }


def _notifications(project: Project) -> QuerySet[Notification]:
    rows = Notification.objects.filter(Q(channel__project=project) | Q(incident__project=project))
    return rows.select_related("channel", "incident__build")


def rule_get(*, project: Project, pk: int) -> Rule:
    """One rule of the project.

    Raises:
        NotFoundError: it has none of that number.
    """
    return _get(Rule.objects.filter(project=project), "rule", pk)


def channel_get(*, project: Project, pk: int, kind: str = "") -> Channel:
    """One channel of the project, of this kind where one is named.

    Raises:
        NotFoundError: it has none of that number.
    """
    rows = Channel.objects.filter(project=project)
    return _get(rows.filter(kind=kind) if kind else rows, "channel", pk)


def mute_get(*, project: Project, pk: int) -> Mute:
    """One mute of the project.

    Raises:
        NotFoundError: it has none of that number.
    """
    return _get(Mute.objects.filter(project=project), "mute", pk)


def notification_get(*, project: Project, pk: int) -> Notification:
    """One notification of the project.

    Raises:
        NotFoundError: it has none of that number.
    """
    return _get(_notifications(project), "notification", pk)


def _get(rows: QuerySet[Row], what: str, pk: int) -> Row:
    found = rows.filter(pk=pk).first()
    if found is None:
        raise NotFoundError(f"There is no {what} {pk} here. The project's Alerts page lists those that are.")
    return found
