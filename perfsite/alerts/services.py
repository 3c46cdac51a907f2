"""Telling people, once.  A notification is a row before it is a call; whoever claims the row calls."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from perfsite.alerts import selectors
from perfsite.alerts.channels import CHANNELS, DeliveryError
from perfsite.alerts.channels.email import WITHDRAWAL
from perfsite.alerts.message import message_compose
from perfsite.alerts.models import Notification
from perfsite.alerts.states import NOTIFICATION_STATES
from perfsite.core.transition import state_swap
from perfsite.regressions.models import Incident

MAX_TRIES = 8
# a sender that was silent for so long is dead: every channel's own timeouts are far shorter
CLAIM = timedelta(minutes=5)
_BACKOFF_FIRST = timedelta(seconds=30)
_BACKOFF_LONGEST = timedelta(hours=1)


def incidents_tell() -> int:
    """Queue what is due, recover what a dead sender left, send; returns how many messages went out."""
    now = timezone.now()
    for incident in selectors.incidents_due(now=now):
        notification_queue(incident=incident, channel="email")
    for incident in selectors.withdrawals_due():
        notification_queue(incident=incident, channel=WITHDRAWAL.name)
    notifications_recover(now=now)
    due = selectors.notifications_due(now=timezone.now())  # those queued a moment ago too
    return sum(notification_send(notification=row) for row in due)


def notification_queue(*, incident: Incident, channel: str) -> Notification:
    """The row that says who is told of an incident; made once however many ask for it at once."""
    recipient = selectors.recipient_of(incident=incident)
    values: dict[str, str] = {
        "key": notification_key(incident=incident, channel=channel, recipient=recipient)
    }
    if not recipient:
        values |= {
            "state": "failed",
            "error": f"nobody to tell: the commit names no reachable author and project "
            f"{incident.project.slug} no owner; set the project's owner e-mail",
        }
    row, _ = Notification.objects.get_or_create(
        incident=incident, channel=channel, recipient=recipient, defaults=values
    )
    return row


def notification_key(*, incident: Incident, channel: str, recipient: str) -> str:
    """The Message-ID without its brackets (RFC 5322): the same for every try, another for every other."""
    parts = (settings.SITE_URL, str(incident.pk), incident.opened_at.isoformat(), channel, recipient)
    digest = hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]
    host = (urlsplit(settings.SITE_URL).hostname or "localhost")[:60]
    return f"{digest}@{host}"


def notification_send(*, notification: Notification) -> bool:
    """Claim a queued notification and send it; True when it went out, False when not or not ours."""
    now = timezone.now()
    claimed = state_swap(
        notification,
        to="sending",
        legal=NOTIFICATION_STATES,
        tries=F("tries") + 1,
        due_at=now + CLAIM,
    )
    if not claimed:
        return False
    notification.refresh_from_db()
    incident = _incident_full(notification)
    try:
        message = message_compose(selectors.incident_facts(incident=incident))
        CHANNELS[notification.channel].notify(message, notification.recipient, notification.key)
    except DeliveryError as error:
        _put_off(notification, error)
        return False
    sent = timezone.now()
    _end(notification, to="sent", sent_at=sent, error="")
    Incident.objects.filter(pk=incident.pk, told_at=None).update(told_at=sent)
    return True


def notifications_recover(*, now: datetime) -> int:
    """Take over what a dead sender left: queued again where a second message is known as such.

    Elsewhere it is marked uncertain, shown, and not repeated by itself.
    """
    left = Notification.objects.filter(state="sending", due_at__lte=now)
    return sum(_recover(row) for row in left)


def _recover(row: Notification) -> bool:
    if not CHANNELS[row.channel].repeatable:
        return _end(row, to="uncertain", error="the sender died in mid-call: it may have gone out or not")
    if row.tries >= MAX_TRIES:
        return _end(row, to="failed", error=f"the sender died at try {row.tries} of {MAX_TRIES}")
    return _end(row, to="queued", error="the sender died in mid-call")


def _put_off(notification: Notification, error: DeliveryError) -> None:
    """After a failed try: never again when it is permanent or the tries are spent, else later."""
    if error.permanent or notification.tries >= MAX_TRIES:
        _end(notification, to="failed", error=str(error))
        return
    wait = min(_BACKOFF_FIRST * 2 ** (notification.tries - 1), _BACKOFF_LONGEST)
    _end(notification, to="queued", error=str(error), due_at=timezone.now() + wait)


def _end(notification: Notification, *, to: str, **values: object) -> bool:
    """End this very try: a sender that was taken for dead and comes back changes nothing."""
    if to not in NOTIFICATION_STATES["sending"]:
        raise ValueError(f"notification {notification.pk}: no step from 'sending' to {to!r}")
    mine = Notification.objects.filter(pk=notification.pk, state="sending", tries=notification.tries)
    return bool(mine.update(state=to, **values))


def _incident_full(notification: Notification) -> Incident:
    rows = Incident.objects.select_related("project__owner", "build", "range_start", "culprit")
    return rows.get(pk=notification.incident_id)
