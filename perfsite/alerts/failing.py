"""What follows when the other side refuses for good, or is silent: nothing is lost, nobody else waits."""

from __future__ import annotations

import random
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from perfsite.alerts.channels import DeliveryError
from perfsite.alerts.models import Channel, Notification, Telling
from perfsite.alerts.queueing import owner_notify
from perfsite.alerts.retrying import LONGEST, retry_wait
from perfsite.regressions.assigning import owner_of

# a channel that has come back is found within this
LONGEST_REST = timedelta(minutes=10)


def channel_rest(*, channel: Channel, error: DeliveryError | None) -> None:
    """Let a channel that gave no answer, or asked for time, rest; one that answers is called as before.

    It is the channel that waits, not each of its messages: every call of a server that hangs costs the
    sender its whole timeout, and with it everybody whose message comes after.
    """
    row = Channel.objects.filter(pk=channel.pk)
    if error is not None and error.is_silent:
        unanswered = min(channel.unanswered + 1, 1000)
        first = timedelta(seconds=settings.ALERTS_BACKOFF_SECONDS)
        wait = retry_wait(unanswered, first=first, share=random.random())  # noqa: S311 - jitter, no secret
        until = timezone.now() + min(wait, max(LONGEST_REST, first))
        row.update(unanswered=unanswered, rests_until=until)
    elif error is not None and error.retry_after:
        row.update(unanswered=0, rests_until=timezone.now() + min(error.retry_after, LONGEST))
    elif channel.unanswered or channel.rests_until:
        row.update(unanswered=0, rests_until=None)


@transaction.atomic
def channel_disable(*, channel: Channel, reason: str) -> bool:
    """Take a channel out of use and tell the owner; what is queued waits until it is enabled again."""
    now = timezone.now()
    rows = Channel.objects.filter(pk=channel.pk, disabled_at=None)
    if not rows.update(disabled_at=now, disabled_reason=reason):
        return False
    waiting = Notification.objects.filter(channel=channel, state="queued").count()
    notice = (
        f"The channel {channel.name} was disabled: it refuses for good\n{reason}\n"
        f"{waiting} further messages wait; they go out when the channel is mended and enabled again. "
        "The refused one can be sent again on the alerts page."
    )
    owner_notify(project=channel.project, notice=notice, about=f"channel {channel.pk} {now.isoformat()}")
    return True


def recipient_replace(*, notification: Notification, reason: str) -> int:
    """Let the project's owner hear all that a mailbox refused; returns how much is new to the owner.

    What came in one message goes to the owner in one, too.
    """
    channel = notification.channel
    owner = owner_of(project=channel.project) if channel is not None else ""
    if not owner or owner == notification.recipient:
        return 0
    made = 0
    for telling in notification.tellings.select_related("incident", "build", "channel", "rule"):
        _, is_new = Telling.objects.get_or_create(
            incident=telling.incident,
            build=telling.build,
            channel=telling.channel,
            recipient=owner,
            opening=telling.opening,
            occasion=telling.occasion,
            defaults={
                "rule": telling.rule,
                "decision": telling.decision if telling.decision in ("digest", "capped") else "now",
                "why": f"instead of {notification.recipient}: {reason}",
                "due_at": timezone.now(),
            },
        )
        made += is_new
    return made
