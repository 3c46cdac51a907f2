"""Sending, once.  A notification is a row before it is a call; whoever claims the row calls."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from perfsite.alerts import selectors
from perfsite.alerts.channels import CHANNELS, DeliveryError, Outgoing
from perfsite.alerts.chart_links import chart_url
from perfsite.alerts.composing import notification_message
from perfsite.alerts.failing import channel_disable, channel_rest, message_refused, recipient_replace
from perfsite.alerts.message import Message
from perfsite.alerts.models import Notification, Sending
from perfsite.alerts.retrying import retry_wait
from perfsite.alerts.states import NOTIFICATION_STATES
from perfsite.alerts.telling import tellings_make, tellings_release
from perfsite.core.errors import PerfsiteError
from perfsite.core.tallies import tally_add
from perfsite.core.transition import state_swap
from perfsite.regressions.guard import guarded
from perfsite.regressions.models import Incident

MAX_TRIES = 8
ENDS = ("sent", "failed", "uncertain")
"""The states in which a notification rests until a person sends it again."""


def incidents_tell() -> int:
    """Recover what a dead sender left, send what is queued, queue and decide more; returns how many went out.

    What is queued goes first and the rest comes in batches: a sender that dies often still gets some out.
    A channel that does not answer costs the others one wait: it rests, and comes last afterwards.
    """
    sent = 0
    while True:
        now = timezone.now()
        notifications_recover(now=now)
        due = selectors.notifications_due(now=now).values_list("pk", flat=True)
        sent += sum(guarded(partial(_due_send, pk, now), f"sending notification {pk}") for pk in list(due))
        if not (tellings_release(now=timezone.now()) or tellings_make(now=timezone.now())):
            return sent


def _due_send(pk: int, now: datetime) -> bool:
    """Send one, unless it is not due any more: one before it may have had its channel disabled."""
    rows = selectors.notifications_due(now=now).select_related("channel__project")
    row = rows.filter(pk=pk).first()
    return row is not None and notification_send(notification=row)


def notification_send(*, notification: Notification) -> bool:
    """Claim a queued notification and send it; True when it went out, False when not or not ours."""
    if not _claim(notification):
        return False
    kind = CHANNELS[notification.channel.kind]  # type: ignore[union-attr]  # a due one has a channel
    try:
        outgoing = _outgoing(notification)
        kind.notify(outgoing)
    except DeliveryError as error:
        channel_rest(channel=notification.channel, error=error)  # type: ignore[arg-type]
        _fail(notification, error, outgoing.message)
        return False
    except (PerfsiteError, ValueError) as error:  # what it is about, or its credentials, are gone
        _end(notification, to="failed", sending="refused", error=str(error))
        return False
    sent = timezone.now()
    channel_rest(channel=notification.channel, error=None)  # type: ignore[arg-type]
    _end(notification, to="sent", sending="taken", sent_at=sent, error="")
    told = Incident.objects.filter(notifications=notification) | Incident.objects.filter(
        tellings__notification=notification
    )
    Incident.objects.filter(pk__in=told.values("pk"), told_at=None).update(told_at=sent)
    return True


@transaction.atomic
def _claim(notification: Notification) -> bool:
    """Take the row and write down the try, both before the call."""
    claim = timedelta(seconds=settings.ALERTS_CLAIM_SECONDS)
    if not state_swap(
        notification,
        to="sending",
        legal=NOTIFICATION_STATES,
        tries=F("tries") + 1,
        due_at=timezone.now() + claim,
    ):
        return False
    notification.refresh_from_db(fields=["state", "tries", "due_at"])
    Sending.objects.create(notification=notification, number=notification.tries)
    return True


def _outgoing(notification: Notification) -> Outgoing:
    channel = notification.channel
    assert channel is not None
    message = notification_message(notification=notification)
    return Outgoing(
        message=replace(message, image_url=chart_url(verdict_id=message.verdict, channel=channel)),
        key=notification.key,
        project_id=channel.project_id,
        recipient=notification.recipient,
        settings=channel.settings,
        secrets=channel.secrets,
    )


def notifications_recover(*, now: datetime) -> int:
    """Take over what a dead sender left: queued again where a second message is known as such.

    Elsewhere it is marked uncertain, shown, and not repeated by itself.
    """
    left = Notification.objects.filter(state="sending", due_at__lte=now).select_related("channel")
    return sum(guarded(partial(_recover, row), f"recovering {row}") for row in left)


def _recover(row: Notification) -> bool:
    end = partial(_end, row, sending="lost")
    kind = CHANNELS.get(row.channel.kind) if row.channel else None
    if kind is None or not kind.repeatable:
        return end(to="uncertain", error="the sender died in mid-call: it may have gone out or not")
    if _is_last(row):
        return end(to="failed", error=f"the sender died at try {row.tries} of {MAX_TRIES}")
    return end(to="queued", error="the sender died in mid-call")


def _is_last(notification: Notification) -> bool:
    """Whether its tries are spent; a person who sends it again gives it as many more."""
    return notification.tries % MAX_TRIES == 0


def _fail(notification: Notification, error: DeliveryError, message: Message) -> None:
    """After a failed try: never again when it is permanent or the tries are spent, else later."""
    channel = notification.channel
    assert channel is not None
    kind, end = CHANNELS[channel.kind], partial(_end, notification, sending="refused", error=str(error))
    if error.is_unknown and not kind.repeatable:
        end(to="uncertain")
        return
    if error.permanent or _is_last(notification):
        with transaction.atomic():
            if not end(to="failed"):
                return
            if kind.takes_recipient:
                recipient_replace(notification=notification, reason=str(error))
            elif error.is_message_only and not error.is_gone:
                message_refused(notification=notification, message=message, reason=str(error))
            elif not error.is_gone and (error.permanent or error.is_misdirected):
                channel_disable(channel=channel, reason=str(error))
        return
    wait = retry_wait(
        (notification.tries - 1) % MAX_TRIES + 1,
        first=timedelta(seconds=settings.ALERTS_BACKOFF_SECONDS),
        share=random.random(),  # noqa: S311 - jitter, no secret
        asked=error.retry_after,
    )
    end(to="queued", due_at=timezone.now() + wait)


@transaction.atomic
def _end(notification: Notification, *, to: str, sending: str, **values: object) -> bool:
    """End this very try: a sender that was taken for dead and comes back changes nothing."""
    if to not in NOTIFICATION_STATES["sending"]:
        raise ValueError(f"notification {notification.pk}: no step from 'sending' to {to!r}")
    mine = Notification.objects.filter(pk=notification.pk, state="sending", tries=notification.tries)
    if not mine.update(state=to, **values):
        return False
    tries = Sending.objects.filter(notification=notification, number=notification.tries)
    tries.update(state=sending, ended_at=timezone.now(), error=str(values.get("error", "")))
    if to in ENDS:
        channel = notification.channel
        tally_add("notifications_ended", channel=channel.kind if channel else "none", state=to)
    return True


def notification_again(*, notification: Notification, actor: str) -> bool:
    """A person sends a failed or uncertain notification again; False when it is neither any more."""
    if notification.state not in ("failed", "uncertain") or (
        notification.channel
        and CHANNELS[notification.channel.kind].takes_recipient
        and not notification.recipient
    ):
        return False
    return state_swap(
        notification,
        to="queued",
        legal=NOTIFICATION_STATES,
        due_at=timezone.now(),
        error=f"sent again by {actor}",
    )
