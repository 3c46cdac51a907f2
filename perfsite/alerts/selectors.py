"""What there is to tell, to whom, and the facts of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, QuerySet

from benchmarks.cases import ModelSource
from perfsite.alerts.channels.email import WITHDRAWAL
from perfsite.alerts.message import IncidentFacts, RegressionFacts
from perfsite.alerts.models import Notification
from perfsite.regressions.changes import subject_of
from perfsite.regressions.incident_states import OPEN_STATES
from perfsite.regressions.models import Incident, Regression
from perfsite.regressions.selectors import (
    Accusation,
    accusation_of,
    bisection_of,
    build_is_settled,
    case_of,
    regressions_ranked,
)
from perfsite.regressions.wording import Change
from perfsite.runs.models import Build
from perfsite.runs.reproduce import reproduce_command

# one message with everything beats three in a row, but nobody waits for a stuck job for ever
PATIENCE = timedelta(minutes=10)
# a search for the guilty commit takes several comparisons, and tells whom to write to
SEARCH_PATIENCE = timedelta(hours=2)


def incidents_due(*, now: datetime) -> list[Incident]:
    """Incidents nobody was told of whose build has no open question, or that waited long enough."""
    rows = Incident.objects.filter(
        told_at=None,
        notifications=None,
        regressions__isnull=False,
        state__in=OPEN_STATES,
        withdrawn_at=None,
    )
    untold = rows.select_related("project__owner", "build", "culprit").distinct().order_by("id")
    return [row for row in untold if _is_due(row, now)]


def _is_due(incident: Incident, now: datetime) -> bool:
    if incident.opened_at <= now - SEARCH_PATIENCE or build_is_settled(build=incident.build):
        return True
    search = bisection_of(incident=incident)
    return incident.opened_at <= now - PATIENCE and (search is None or search.state != "running")


def withdrawals_due() -> list[Incident]:
    """Incidents that were withdrawn after somebody was told of them, and whose withdrawal was not told."""
    told = Incident.objects.filter(notifications__sent_at__lt=F("withdrawn_at"))
    rows = told.exclude(notifications__channel=WITHDRAWAL.name).distinct()
    return list(rows.select_related("project__owner", "build", "culprit").order_by("id"))


def notifications_due(*, now: datetime) -> QuerySet[Notification]:
    """The queued notifications whose time has come, the longest waiting first."""
    return Notification.objects.filter(state="queued", due_at__lte=now).order_by("due_at", "id")


def recipient_of(*, incident: Incident) -> str:
    """Who hears of it: the accused commit's author, else the project's owner, else nobody (empty).

    An incident of the environment accuses no commit: it is the owner's.
    """
    project = incident.project
    author = accusation_of(incident=incident).build.author_email
    if incident.kind == Incident.Kind.CODE and _is_reachable(author):
        return author
    return project.owner_email or (project.owner.email if project.owner else "")


def incident_url(*, incident: Incident) -> str:
    """The incident's page."""
    return f"{settings.SITE_URL}/projects/{incident.project.slug}/incidents/{incident.pk}/"


def incident_facts(*, incident: Incident) -> IncidentFacts:
    """What a message about the incident says."""
    accused = accusation_of(incident=incident)
    build = accused.build
    return IncidentFacts(
        project=incident.project.slug,
        sha=build.sha,
        commit_subject=build.subject,
        author=build.author_name,
        last_good=accused.good.sha,
        url=incident_url(incident=incident),
        regressions=tuple(_regression_facts(row, accused) for row in regressions_ranked(incident=incident)),
        suspects=accused.suspects,
        search=accused.sentence,
        headline=incident.facts.get("headline", ""),
        is_innocent=incident.kind == Incident.Kind.ENVIRONMENT,
        withdrawn=incident.withdrawn_reason if incident.withdrawn_at else "",
    )


def _regression_facts(row: Regression, accused: Accusation) -> RegressionFacts:
    verdict = row.verdict
    return RegressionFacts(
        subject=replace(subject_of(series=row.series, build=row.build), sha=accused.label),
        change=Change(
            verdict.before, verdict.after, verdict.relative, verdict.relative_low, verdict.relative_high
        ),
        pairs=verdict.evidence.get("pairs", 0),
        e_value=verdict.evidence.get("e_value"),
        command=_command(row, accused.build),
        certainty=verdict.evidence.get("certainty", ""),
    )


def _command(row: Regression, build: Build) -> str:
    case = case_of(verdict=row.verdict)
    if case is None or row.verdict.job is None:
        return ""
    source = ModelSource.model_validate(row.verdict.job.spec["source"])
    return reproduce_command(sha=build.sha, source=source, case=case)


def _is_reachable(address: str) -> bool:
    """Forges put addresses like 1+name@users.noreply.github.com into commits: mail to them bounces."""
    name, _, host = address.rpartition("@")
    return bool(name and host) and "noreply" not in address.lower()
