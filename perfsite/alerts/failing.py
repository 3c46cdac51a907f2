"""What follows when the other side refuses for good, or is silent: nothing is lost, nobody else waits."""

from __future__ import annotations

import random
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from perfsite.alerts.channels import DeliveryError
from perfsite.alerts.message import Message
from perfsite.alerts.models import Channel, Notification, Telling
from perfsite.alerts.queueing import owner_notify
from perfsite.alerts.retrying import LONGEST, retry_wait
from perfsite.regressions.assigning import owner_of

# a channel that has come back is found within this
LONGEST_REST = timedelta(minutes=10)
# so many different messages in a row, and it is not the messages
MOST_REFUSED = 5


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
    elif error is None and (channel.unanswered or channel.rests_until or channel.refused):
        row.update(unanswered=0, rests_until=None, refused=[])
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
    wait = "1 further message waits and goes" if waiting == 1 else f"{waiting} further messages wait and go"
    more = f"{wait} out when the channel is mended and enabled again. " if waiting else ""
    notice = (
        f"The channel {channel.name} was disabled: it refuses for good\n{reason}\n"
        f"{more}What it refused can be sent again on the alerts page."
    )
    owner_notify(
        project=channel.project,
        occasion=Notification.Occasion.DISABLED,
        notice=notice,
        about=f"channel {channel.pk} {now.isoformat()}",
    )
    return True


@transaction.atomic
def message_refused(*, notification: Notification, message: Message, reason: str) -> None:
    """Tell the owner what one channel did not take; the channel stays in use for the next message.

    One that refuses five different messages in a row is disabled: it is not the messages.
    """
    rows = Channel.objects.select_for_update(of=("self",)).select_related("project")
    channel = rows.get(notifications=notification)
    refused = list(dict.fromkeys([*channel.refused, notification.pk]))
    Channel.objects.filter(pk=channel.pk).update(refused=refused)
    if len(refused) >= MOST_REFUSED:
        said = f"It refused {len(refused)} different messages in a row; the last answer: {reason}"
        if channel_disable(channel=channel, reason=said):
            return
    where = "".join(f"\n{title}: {url}" for title, url in message.links[:1])
    notice = (
        f"The channel {channel.name} refused a message, which nobody got by it\n{reason}\n"
        f"The message: {message.headline}{where}\n"
        "The channel stays in use; the message can be sent again on the alerts page."
    )
    owner_notify(
        project=channel.project,
        occasion=Notification.Occasion.REFUSED,
        notice=notice,
        about=f"notification {notification.key}",
    )


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
