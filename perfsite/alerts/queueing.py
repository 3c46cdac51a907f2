"""Making notifications: a row before it is a call, and its key the same for every try."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from django.conf import settings

from perfsite.alerts.channels import CHANNELS
from perfsite.alerts.defaults import mail_channel
from perfsite.alerts.models import Channel, Notification, Telling
from perfsite.regressions.assigning import owner_of
from perfsite.runs.models import Project


def telling_queue(*, telling: Telling) -> Notification:
    """The notification of one decision, made once however many ask for it at once."""
    about = f"incident {telling.incident_id}" if telling.incident_id else f"build {telling.build_id}"
    if telling.opening > 1:
        about = f"{about} opening {telling.opening}"
    row = notification_queue(
        channel=telling.channel,
        recipient=telling.recipient,
        occasion=telling.occasion,
        about=about,
        incident_id=telling.incident_id,
        opening=telling.opening,
    )
    Telling.objects.filter(pk=telling.pk).update(notification=row)
    return row


def notification_queue(
    *,
    channel: Channel,
    recipient: str,
    occasion: str,
    about: str,
    incident_id: int | None = None,
    opening: int = 1,
    notice: str = "",
) -> Notification:
    """The row that says what is to be sent to whom; one for a channel, recipient, occasion and subject.

    A mail without a recipient is a failed one that says whom to name.
    """
    values: dict[str, object] = {
        "channel": channel,
        "recipient": recipient,
        "occasion": occasion,
        "incident_id": incident_id,
        "opening": opening,
        "notice": notice,
    }
    if CHANNELS[channel.kind].takes_recipient and not recipient:
        values |= {
            "state": "failed",
            "error": f"nobody to tell: the commit names no reachable author and project "
            f"{channel.project.slug} no owner; set the project's owner e-mail",
        }
    key = notification_key(channel=channel, recipient=recipient, occasion=occasion, about=about)
    return Notification.objects.get_or_create(key=key, defaults=values)[0]


def notification_key(*, channel: Channel, recipient: str, occasion: str, about: str) -> str:
    """The Message-ID without its brackets (RFC 5322): the same for every try, another for every other."""
    made = channel.created_at.isoformat()  # a restored database reuses numbers, not moments
    parts = (settings.SITE_URL, str(channel.pk), made, recipient, occasion, about)
    digest = hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]
    host = (urlsplit(settings.SITE_URL).hostname or "localhost")[:60]
    return f"{digest}@{host}"


def owner_notify(*, project: Project, occasion: str, notice: str, about: str) -> Notification:
    """Tell the project's owner by mail that something about its alerts needs a hand."""
    return notification_queue(
        channel=mail_channel(project=project),
        recipient=owner_of(project=project),
        occasion=occasion,
        about=about,
        notice=notice,
    )
