"""The message of a notification, by its occasion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from django.conf import settings

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
from perfsite.alerts.models import Notification
from perfsite.regressions.models import Incident
from perfsite.regressions.selectors import regressions_ranked
from perfsite.runs.models import Project


def notification_message(*, notification: Notification) -> Message:
    """What a notification says now.

    Raises:
        ValueError: what it is about is gone.
    """
    return _COMPOSERS[notification.occasion](notification)


def incident_message(*, incident: Incident) -> Message:
    """An incident's message with its chart."""
    message = message_compose(incident_facts(incident=incident))
    ranked = regressions_ranked(incident=incident)
    return replace(message, image=chart_of(ranked[0].verdict, tone="regressed") if ranked else b"")


def alerts_url(*, project: Project) -> str:
    """The page of a project's rules and channels."""
    return f"{settings.SITE_URL}/projects/{project.slug}/alerts/"


def _incident(notification: Notification) -> Message:
    rows = Incident.objects.select_related("project__owner", "build", "range_start", "culprit")
    return incident_message(incident=rows.get(notifications=notification))


def _improvement(notification: Notification) -> Message:
    telling = notification.tellings.select_related("build__project").first()
    if telling is None or telling.build is None:
        raise ValueError(f"notification {notification.pk} is about an improvement that is gone")
    verdicts = improvements_of(build=telling.build)
    if not verdicts:
        raise ValueError(f"the improvement of {telling.build.short} was taken back before it was told")
    message = message_compose(improvement_facts(build=telling.build, verdicts=verdicts))
    return replace(message, image=chart_of(verdicts[0], tone="improved"))


def _digest(notification: Notification) -> Message:
    project = _project(notification)
    rows = Incident.objects.filter(tellings__notification=notification).distinct().order_by("id")
    rows = rows.select_related("project__owner", "build", "range_start", "culprit")
    several = [incident_facts(incident=row) for row in rows if incident_series(incident=row)]
    several += _improvements(notification)
    is_digest = notification.occasion == Notification.Occasion.DIGEST
    why = "gathered for this digest" if is_digest else "held back because the day's messages were spent"
    url = f"{settings.SITE_URL}/projects/{project.slug}/incidents/"
    return digest_compose(several, project=project.slug, url=url, why=why)


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
    Notification.Occasion.TEST: _notice,
}
