"""What people set: channels, rules, mutes.  A secret that was stored is never given back."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from perfsite.alerts.channels import CHANNELS, DeliveryError
from perfsite.alerts.channels.anywhere import plugin_judged
from perfsite.alerts.channels.calling import address_judged
from perfsite.alerts.channels.webhook import PREFIX
from perfsite.alerts.models import Channel, Mute, Notification, Rule
from perfsite.alerts.queueing import notification_queue
from perfsite.core.errors import ConflictError, PerfsiteError
from perfsite.regressions.assigning import owner_of
from perfsite.regressions.events import event_append
from perfsite.regressions.models import Incident
from perfsite.runs.models import Project

LONGEST_MUTE = timedelta(days=366)


def channel_save(
    *, project: Project, kind: str, name: str, values: Mapping[str, str], channel: Channel | None = None
) -> str:
    """Store a channel; the new secret of a webhook that got none is returned, once, else nothing.

    An empty secret keeps the one that is stored.  Saving enables a channel that was disabled.

    Raises:
        PerfsiteError: the kind is unknown, a field is missing, an address is not called.
        ConflictError: the name is taken.
    """
    row = channel or Channel(project=project, kind=kind)
    if kind not in CHANNELS or row.kind != kind:
        raise PerfsiteError(f"unknown channel kind {kind!r}; known: {', '.join(CHANNELS)}")
    if not name.strip():
        raise PerfsiteError("a channel needs a name")
    _secrets_stay(row, values)
    made = _fields_store(row, values)
    row.name, row.disabled_at, row.disabled_reason = name.strip()[:80], None, ""
    row.unanswered, row.rests_until, row.refused = 0, None, []
    _save(row)
    return made


def _save(row: Channel | Rule) -> None:
    """Save a row; the database says whether its name is free in the project, also to two at once.

    Raises:
        ConflictError: it is not.
    """
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        what = type(row)._meta.verbose_name
        raise ConflictError(f"there is a {what} {row.name!r} already; choose another name") from None


def _secrets_stay(row: Channel, values: Mapping[str, str]) -> None:
    """A token that is kept is not sent to another address: who may not read it could have it sent home.

    Raises:
        PerfsiteError: the address changes and the token is not given anew.
    """
    fields = CHANNELS[row.kind].fields
    moved = [
        field
        for field in fields
        if field.is_url
        and not field.is_secret
        and values.get(field.name, "").strip() != row.settings.get(field.name, "")
    ]
    sent = [field for field in fields if field.name == "token" and row.secrets.get(field.name)]
    if moved and sent and not values.get(sent[0].name, "").strip():
        raise PerfsiteError(
            f"{moved[0].title} changes: give {sent[0].title} again, which is sent to the new address"
        )


def _fields_store(row: Channel, values: Mapping[str, str]) -> str:
    """Judge and keep the fields; returns the secret that was made, if any."""
    made = ""
    for field in CHANNELS[row.kind].fields:
        value = values.get(field.name, "").strip()
        kept = row.secrets if field.is_secret else row.settings
        if field.is_secret and not value:
            value = kept.get(field.name, "")
        if not value and field.name == "secret":
            value = made = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        if field.choices and value not in dict(field.choices):
            known = ", ".join(repr(name) for name, _ in field.choices)
            raise PerfsiteError(f"{field.title}: {value[:60]!r} is none of {known}")
        if not value and field.is_required:
            raise PerfsiteError(f"{field.title} is missing")
        try:
            if value and field.is_url:
                address_judged(value)
            if value and row.kind == "apprise":
                plugin_judged(value)
        except DeliveryError as error:
            raise PerfsiteError(f"{field.title}: {error}") from error
        kept[field.name] = value
    return made


@transaction.atomic
def channel_remove(*, channel: Channel) -> None:
    """Forget a channel and its secrets; what was sent by it stays, with its name gone.

    Raises:
        ConflictError: a rule tells by it, or messages wait for it: they would be lost without a word.
    """
    rule = channel.rules.order_by("id").first()
    if rule is not None:
        raise ConflictError(f"the rule {rule.name!r} tells by {channel.name}; take it out of the rule first")
    rows = Notification.objects.filter(channel=channel)
    waiting = rows.filter(state__in=("queued", "sending")).count()
    waiting += channel.tellings.filter(notification=None, due_at__isnull=False).count()
    if waiting:
        raise ConflictError(
            f"{waiting} messages wait for {channel.name}; let them go out, or disable it instead"
        )
    channel.delete()


def channel_switch(*, channel: Channel, is_enabled: bool) -> None:
    """Use a channel, or not; using it again forgives what it was disabled for."""
    Channel.objects.filter(pk=channel.pk).update(
        is_enabled=is_enabled,
        disabled_at=None,
        disabled_reason="" if is_enabled else channel.disabled_reason,
        unanswered=0,
        rests_until=None,
        refused=[],
    )


def channel_test(*, channel: Channel, actor: str, recipient: str) -> Notification:
    """Queue a message that says that the channel works; a mail goes to whoever asked, else to the owner."""
    takes = CHANNELS[channel.kind].takes_recipient
    return notification_queue(
        channel=channel,
        recipient=(recipient or owner_of(project=channel.project)) if takes else "",
        occasion=Notification.Occasion.TEST,
        about=timezone.now().isoformat(),
        notice=f"The channel {channel.name} works\n{actor} asked for this test; no incident is behind it.",
    )


@transaction.atomic
def rule_save(
    *, project: Project, values: Mapping[str, Any], channels: Collection[Channel], rule: Rule | None = None
) -> Rule:
    """Store a rule; `values` are columns of `Rule`.

    Raises:
        PerfsiteError: the name is empty, or a channel is of another project.
        ConflictError: the name is taken.
    """
    row = rule or Rule(project=project)
    for name, value in values.items():
        setattr(row, name, value)
    if not row.name.strip():
        raise PerfsiteError("a rule needs a name")
    if any(channel.project_id != project.pk for channel in channels):
        raise PerfsiteError("a rule tells by channels of its own project")
    _save(row)
    row.channels.set(channels)
    return row


def rule_remove(*, rule: Rule) -> None:
    """Forget a rule; what it told stays.  The last one is switched off instead: without any rule a project
    hears everything again.

    Raises:
        ConflictError: it is the project's last one.
    """
    if not Rule.objects.filter(project=rule.project_id).exclude(pk=rule.pk).exists():
        raise ConflictError(
            f"{rule.name!r} is the only rule: without any a project hears everything; switch it off instead"
        )
    rule.delete()


@transaction.atomic
def incident_mute(*, incident: Incident, until: datetime, reason: str, actor: str) -> int:
    """Mute every series of an incident; returns how many.

    A series has one running mute: the newest word counts, and the same word twice is one.

    Raises:
        PerfsiteError: there is no reason, or the end is past or too far.
    """
    now = timezone.now()
    if not reason.strip():
        raise PerfsiteError("a mute needs a reason; it is shown where the series is")
    if not now < until <= now + LONGEST_MUTE:
        raise PerfsiteError(f"a mute ends within the next {LONGEST_MUTE.days} days")
    series = set(incident.regressions.values_list("series_id", flat=True))
    series |= set(incident.standings.values_list("series_id", flat=True))
    Project.objects.select_for_update().get(
        pk=incident.project_id
    )  # of two at once the second finds the first's
    changed = [key for key in sorted(series) if _series_mute(incident, key, until, reason.strip(), actor)]
    if changed:
        sentence = f"Its {len(series)} series are muted until {until:%Y-%m-%d}: {reason.strip()}"
        event_append(incident=incident, code="muted", actor=actor, sentence=sentence)
    return len(series)


def _series_mute(incident: Incident, series_id: int, until: datetime, reason: str, actor: str) -> bool:
    """Make or change the running mute of a series; False when it is just that already."""
    running = Mute.objects.filter(
        project_id=incident.project_id, series_id=series_id, until__gt=timezone.now()
    ).order_by("id")
    first = running.first()
    if first is None:
        Mute.objects.create(
            project_id=incident.project_id,
            series_id=series_id,
            until=until,
            reason=reason,
            actor=actor[:150],
        )
        return True
    running.exclude(pk=first.pk).update(until=timezone.now())
    if (first.until, first.reason) == (until, reason):
        return False
    first.until, first.reason, first.actor = until, reason, actor[:150]
    first.save()
    return True


def mute_end(*, mute: Mute) -> None:
    """Let people hear of a series again from now on."""
    Mute.objects.filter(pk=mute.pk, until__gt=timezone.now()).update(until=timezone.now())
