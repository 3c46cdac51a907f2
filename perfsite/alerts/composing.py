"""The message of a notification, by its occasion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from django.conf import settings
from django.db.models import Exists, F, OuterRef

from perfsite.alerts.facts import (
    chart_of,
    improvement_facts,
    improvements_of,
    incident_facts,
    incident_series,
)
from perfsite.alerts.message import (
    IncidentFacts,
    Message,
    digest_compose,
    message_compose,
    notice_compose,
)
from perfsite.alerts.models import Notification, Telling
from perfsite.regressions.causes.closing import regressions_standing
from perfsite.regressions.models import Incident, Verdict
from perfsite.runs.models import Project


def notification_message(*, notification: Notification) -> Message:
    """What a notification says now.

    Raises:
        ValueError: what it is about is gone.
    """
    return _COMPOSERS[notification.occasion](notification)


def incident_message(*, incident: Incident, is_again: bool = False) -> Message:
    """An incident's message with its chart; `is_again` for who heard of it before it was taken back."""
    message = message_compose(incident_facts(incident=incident, is_again=is_again))
    ranked = regressions_standing(incident=incident)
    return _charted(message, ranked[0].verdict, "regressed") if ranked else message


def _charted(message: Message, verdict: Verdict, tone: str) -> Message:
    """The message with its chart, where there is one to see."""
    image = chart_of(verdict, tone=tone)
    return replace(message, image=image, verdict=verdict.pk if image else None)


def alerts_url(*, project: Project) -> str:
    """The page of a project's rules and channels."""
    return f"{settings.SITE_URL}/projects/{project.slug}/alerts/"


def _incident(notification: Notification) -> Message:
    rows = Incident.objects.select_related("project__owner", "build", "range_start", "culprit")
    incident = rows.get(notifications=notification)
    if incident.opening != notification.opening:
        raise ValueError(
            f"overtaken: incident {incident.pk} was taken back and stands again; another message tells of it"
        )
    return incident_message(incident=incident, is_again=incident.pk in _heard(notification))


def _improvement(notification: Notification) -> Message:
    telling = notification.tellings.select_related("build__project").first()
    if telling is None or telling.build is None:
        raise ValueError(f"notification {notification.pk} is about an improvement that is gone")
    verdicts = improvements_of(build=telling.build)
    if not verdicts:
        raise ValueError(f"the improvement of {telling.build.short} was taken back before it was told")
    message = message_compose(improvement_facts(build=telling.build, verdicts=verdicts))
    return _charted(message, verdicts[0], "improved")


def _digest(notification: Notification) -> Message:
    project = _project(notification)
    # of one that stands again since, another message tells
    rows = Incident.objects.filter(tellings__notification=notification, tellings__opening=F("opening"))
    rows = rows.distinct().order_by("id").select_related("project__owner", "build", "range_start", "culprit")
    heard = _heard(notification)
    several = [
        incident_facts(incident=row, is_again=row.pk in heard)
        for row in rows
        if incident_series(incident=row)
    ]
    several += _improvements(notification)
    is_digest = notification.occasion == Notification.Occasion.DIGEST
    why = "gathered for this digest" if is_digest else "held back because the day's messages were spent"
    url = f"{settings.SITE_URL}/projects/{project.slug}/incidents/"
    return digest_compose(several, project=project.slug, url=url, why=why)


def _heard(notification: Notification) -> set[int]:
    """The incidents of a notification whose earlier opening its reader was told of."""
    before = Telling.objects.filter(
        channel=notification.channel,
        recipient=notification.recipient,
        opening__lt=OuterRef("opening"),
        incident=OuterRef("incident"),
        occasion=Notification.Occasion.INCIDENT,
        notification__state__in=("sent", "uncertain"),
    )
    rows = notification.tellings.filter(Exists(before))
    return {pk for pk in rows.values_list("incident_id", flat=True) if pk is not None}


def _improvements(notification: Notification) -> list[IncidentFacts]:
    """What builds made better, of what a digest gathers; what was taken back since is left out."""
    tellings = notification.tellings.filter(incident=None).select_related("build__project").order_by("id")
    builds = [telling.build for telling in tellings if telling.build is not None]
    better = ((build, improvements_of(build=build)) for build in builds)
    return [improvement_facts(build=build, verdicts=verdicts) for build, verdicts in better if verdicts]


def _notice(notification: Notification) -> Message:
    project = _project(notification)
    first, *lines = notification.notice.splitlines() or ["A notice without words"]
    url = alerts_url(project=project)
    return notice_compose(
        project=project.slug, headline=first, lines=lines, title="Rules and channels", url=url
    )


def _project(notification: Notification) -> Project:
    if notification.channel is None:
        raise ValueError(f"the channel of notification {notification.pk} was deleted")
    return notification.channel.project


_COMPOSERS: dict[str, Callable[[Notification], Message]] = {
    Notification.Occasion.INCIDENT: _incident,
    Notification.Occasion.WITHDRAWAL: _incident,
    Notification.Occasion.IMPROVEMENT: _improvement,
    Notification.Occasion.DIGEST: _digest,
    Notification.Occasion.SUMMARY: _digest,
    Notification.Occasion.DISABLED: _notice,
    Notification.Occasion.REFUSED: _notice,
    Notification.Occasion.TEST: _notice,
}
