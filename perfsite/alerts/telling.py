"""Deciding whom to tell and when, one row each; and turning what is due into notifications.

Rows say what was decided, so every step may be stopped anywhere and taken twice at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from django.db import transaction
from django.utils import timezone

from perfsite.alerts import selectors
from perfsite.alerts.channels import CHANNELS
from perfsite.alerts.deciding import STRENGTH, Decision, SeriesFact, Terms, decide, decide_withdrawal
from perfsite.alerts.defaults import defaults_ensure
from perfsite.alerts.facts import improvements_of, incident_series, series_facts
from perfsite.alerts.models import Channel, Notification, Rule, Telling
from perfsite.alerts.queueing import notification_queue, telling_queue
from perfsite.regressions.assigning import address_of, assignee_of, is_reachable, owner_of
from perfsite.regressions.events import incident_locked
from perfsite.regressions.guard import guarded
from perfsite.regressions.incident_states import OPEN_STATES
from perfsite.regressions.models import Incident
from perfsite.runs.models import Build, Project

CLOSED = "closed before it was told"
# how many incidents are decided about before the first of them is sent
BATCH = 25


def tellings_make(*, now: datetime) -> int:
    """Decide about what is due, a batch of incidents, every improvement and withdrawal; returns how many.

    A batch, so that a sender that dies often still gets something out.
    """
    decided = (
        guarded(partial(incident_decide, incident_id=row.pk, now=now), f"deciding about {row}")
        for row in selectors.incidents_due(now=now)
    )
    made = sum(islice(filter(None, decided), BATCH))
    made += sum(
        guarded(partial(improvement_decide, build=build, now=now), f"deciding about {build}")
        for build in selectors.improvements_due(now=now)
    )
    return made + sum(
        guarded(partial(_withdraw, telling, now), f"taking {telling} back")
        for telling in selectors.withdrawals_due()
    )


@transaction.atomic
def incident_decide(*, incident_id: int, now: datetime) -> bool:
    """Decide whom an incident is told to; False when that was done already for this opening of it.

    The project's row is held: of two that decide at once the second counts what the first decided, so that
    no day's cap is passed.
    """
    project = Project.objects.filter(incidents=incident_id).values_list("pk", flat=True)
    Project.objects.select_for_update().get(pk=project.get())
    incident = incident_locked(incident_id=incident_id)
    known = incident.tellings.filter(opening=incident.opening, occasion=Notification.Occasion.INCIDENT)
    if known.exists() or incident.state not in OPEN_STATES:
        return False
    facts = incident_series(incident=incident)
    defaults_ensure(project=incident.project)
    rows = _decided(incident.project, incident, facts, now=now)
    Telling.objects.bulk_create(
        (
            Telling(
                incident=incident,
                opening=incident.opening,
                occasion=Notification.Occasion.INCIDENT,
                **columns,
            )
            for columns in rows
        ),
        ignore_conflicts=True,
    )
    return bool(rows)


@transaction.atomic
def improvement_decide(*, build: Build, now: datetime) -> bool:
    """Decide who hears that a build made something better; False when that was done already."""
    Project.objects.select_for_update().get(pk=build.project_id)
    if Telling.objects.filter(build=build).exists():
        return False
    facts = series_facts(improvements_of(build=build))
    rows = _decided(build.project, None, facts, now=now) if facts else []
    Telling.objects.bulk_create(
        (Telling(build=build, occasion=Notification.Occasion.IMPROVEMENT, **columns) for columns in rows),
        ignore_conflicts=True,
    )
    return bool(rows)


def _decided(
    project: Project, incident: Incident | None, facts: Sequence[SeriesFact], *, now: datetime
) -> list[dict[str, object]]:
    """One decision for each recipient and channel: of several rules the one that tells most."""
    muted = selectors.muted_series(project=project, now=now)
    best: dict[tuple[int, str], tuple[Decision, Rule]] = {}
    for rule in selectors.rules_of(project=project):
        for channel, recipient in recipients_of(rule=rule, incident=incident, project=project):
            since = now - timedelta(days=2)
            told = selectors.told_moments(rule=rule, channel=channel, recipient=recipient, since=since)
            decision = decide(
                facts, terms_of(rule), now=now, muted=muted, told=told, is_improvement=incident is None
            )
            known = best.get((channel.pk, recipient))
            if known is None or STRENGTH.index(decision.word) > STRENGTH.index(known[0].word):
                best[channel.pk, recipient] = (decision, rule)
    return [
        {
            "channel_id": channel_id,
            "recipient": recipient,
            "rule": rule,
            "decision": decision.word,
            "why": decision.why,
            "due_at": decision.at,
        }
        for (channel_id, recipient), (decision, rule) in best.items()
    ]


def terms_of(rule: Rule) -> Terms:
    """A rule's terms as `deciding` reads them."""
    return Terms(
        cases=tuple(rule.cases),
        metrics=tuple(rule.metrics),
        device_classes=tuple(rule.device_classes),
        minimum=rule.minimum,
        improvements=rule.improvements,
        quiet_from=rule.quiet_from,
        quiet_to=rule.quiet_to,
        zone=rule.zone,
        digest_at=rule.digest_at,
        cap=rule.cap,
    )


def recipients_of(
    *, rule: Rule, incident: Incident | None, project: Project
) -> Iterator[tuple[Channel, str]]:
    """Whom a rule tells by which channel; the recipient is empty where the channel names none.

    For mail nobody (an empty recipient) is a recipient too: the notification then says what is missing.
    """
    for channel in rule.channels.all():
        if not channel.is_enabled:
            continue
        if not CHANNELS[channel.kind].takes_recipient:
            yield channel, ""
            continue
        named = (_named(who, incident, project) for who in rule.recipients)
        found = dict.fromkeys(address_of(name) for name in named)
        yield from ((channel, address) for address in found if is_reachable(address))
        if not any(map(is_reachable, found)):
            yield channel, ""


def _named(who: str, incident: Incident | None, project: Project) -> str:
    """Whom a word of a rule means; an improvement is nobody's case, so the owner hears of it."""
    if who == "assignee" and incident is not None:
        return assignee_of(incident=incident)
    return owner_of(project=project) if who in ("assignee", "owner") else who


def _withdraw(telling: Telling, now: datetime) -> bool:
    """Take a message back, to whom it went, when the rule that told it lets anything be told."""
    decision = decide_withdrawal(terms_of(telling.rule) if telling.rule else Terms(), now=now)
    _, is_new = Telling.objects.get_or_create(
        incident=telling.incident,
        channel=telling.channel,
        recipient=telling.recipient,
        opening=telling.opening,
        occasion=Notification.Occasion.WITHDRAWAL,
        defaults={
            "rule": telling.rule,
            "decision": decision.word,
            "why": decision.why,
            "due_at": decision.at,
        },
    )
    return is_new


def tellings_release(*, now: datetime) -> int:
    """Queue a batch of what is due: a notification each, or one for all that wait for a digest or summary."""
    selectors.tellings_reopened(now=now).update(due_at=now)
    due = Telling.objects.filter(notification=None, due_at__lte=now)
    single = due.filter(decision__in=("now", "hold")).order_by("id").values_list("id", flat=True)
    released = sum(
        guarded(partial(_release, pk), f"queueing telling {pk}") for pk in list(single[: 4 * BATCH])
    )
    together = due.filter(decision__in=("digest", "capped")).order_by()
    groups = list(together.values_list("channel_id", "recipient", "decision").distinct())
    return released + sum(
        guarded(partial(_release_together, *group, now=now), f"queueing what waits for channel {group[0]}")
        for group in groups
    )


@transaction.atomic
def _release(telling_id: int) -> bool:
    rows = Telling.objects.select_for_update(of=("self",)).select_related("incident__project", "channel")
    telling = rows.get(pk=telling_id)
    if telling.notification_id is not None or telling.due_at is None:
        return False
    if _is_dropped(telling):
        return False
    telling_queue(telling=telling)
    return True


@transaction.atomic
def _release_together(channel_id: int, recipient: str, decision: str, *, now: datetime) -> bool:
    """One notification for all that wait; the channel's row is held, so of two senders one makes it."""
    channel = Channel.objects.select_for_update().get(pk=channel_id)
    rows = Telling.objects.filter(
        channel=channel, recipient=recipient, decision=decision, notification=None, due_at__lte=now
    )
    waiting = list(rows.select_related("incident__project").order_by("id"))
    kept = [telling for telling in waiting if not _is_dropped(telling)]
    if not kept:
        return False
    occasion = Notification.Occasion.DIGEST if decision == "digest" else Notification.Occasion.SUMMARY
    notification = notification_queue(
        channel=channel, recipient=recipient, occasion=occasion, about=str(kept[0].pk)
    )
    Telling.objects.filter(pk__in=[row.pk for row in kept]).update(notification=notification)
    return True


def _is_over(telling: Telling) -> bool:
    """Whether its incident was closed, merged or opened anew while the message waited."""
    incident = telling.incident
    if incident is None:
        return False
    if telling.opening != incident.opening:
        return True
    if telling.occasion != Notification.Occasion.INCIDENT:
        return False
    return incident.merged_into_id is not None or incident.state not in OPEN_STATES


def _is_muted(telling: Telling) -> bool:
    """Whether every series of its incident was muted while the message waited."""
    incident = telling.incident
    if incident is None or telling.decision == "now" or telling.occasion != Notification.Occasion.INCIDENT:
        return False
    series = {fact.series_id for fact in incident_series(incident=incident)}
    return bool(series) and series <= selectors.muted_series(project=incident.project, now=timezone.now())


def _is_dropped(telling: Telling) -> bool:
    """Whether a message that waited is not to be sent, which its row says then."""
    if _is_over(telling):  # the decision stays: it counts again when the incident is opened again
        telling.why = f"{telling.why}; {CLOSED}".lstrip("; ")
    elif _is_muted(telling):
        telling.decision, telling.why = "muted", "its series were muted while it waited"
    else:
        return False
    telling.due_at = None
    telling.save(update_fields=["decision", "due_at", "why"])
    return True
