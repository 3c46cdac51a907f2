"""What there is to tell, to whom, and the facts of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from benchmarks.cases import ModelSource
from perfsite.alerts.message import IncidentFacts, RegressionFacts
from perfsite.alerts.models import Notification
from perfsite.regressions.changes import subject_of
from perfsite.regressions.models import Incident, Regression
from perfsite.regressions.selectors import build_is_settled, case_of, regressions_ranked
from perfsite.regressions.wording import Change
from perfsite.runs.reproduce import reproduce_command

# one message with everything beats three in a row, but nobody waits for a stuck job for ever
PATIENCE = timedelta(minutes=10)

_WORTH_TELLING = ("untriaged", "investigating", "confirmed")


def incidents_due(*, now: datetime) -> list[Incident]:
    """Incidents nobody was told of whose build has no open question, or that waited long enough."""
    rows = Incident.objects.filter(
        told_at=None, notifications=None, regressions__isnull=False, state__in=_WORTH_TELLING
    )
    untold = rows.select_related("project__owner", "build").distinct().order_by("id")
    return [row for row in untold if row.opened_at <= now - PATIENCE or build_is_settled(build=row.build)]


def notifications_due(*, now: datetime) -> QuerySet[Notification]:
    """The queued notifications whose time has come, the longest waiting first."""
    return Notification.objects.filter(state="queued", due_at__lte=now).order_by("due_at", "id")


def recipient_of(*, incident: Incident) -> str:
    """Who hears of it: the commit's author, else the project's owner, else nobody (an empty string)."""
    project = incident.project
    author = incident.build.author_email
    if _is_reachable(author):
        return author
    return project.owner_email or (project.owner.email if project.owner else "")


def incident_url(*, incident: Incident) -> str:
    """The incident's page."""
    return f"{settings.SITE_URL}/projects/{incident.project.slug}/incidents/{incident.pk}/"


def incident_facts(*, incident: Incident) -> IncidentFacts:
    """What a message about the incident says."""
    build = incident.build
    return IncidentFacts(
        project=incident.project.slug,
        sha=build.sha,
        commit_subject=build.subject,
        author=build.author_name,
        last_good=incident.range_start.sha,
        url=incident_url(incident=incident),
        regressions=tuple(_regression_facts(row) for row in regressions_ranked(incident=incident)),
    )


def _regression_facts(row: Regression) -> RegressionFacts:
    verdict = row.verdict
    return RegressionFacts(
        subject=subject_of(series=row.series, build=row.build),
        change=Change(
            verdict.before, verdict.after, verdict.relative, verdict.relative_low, verdict.relative_high
        ),
        pairs=verdict.evidence.get("pairs", 0),
        e_value=verdict.evidence.get("e_value"),
        command=_command(row),
    )


def _command(row: Regression) -> str:
    case = case_of(verdict=row.verdict)
    if case is None or row.verdict.job is None:
        return ""
    source = ModelSource.model_validate(row.verdict.job.spec["source"])
    return reproduce_command(sha=row.build.sha, source=source, case=case)


def _is_reachable(address: str) -> bool:
    """Forges put addresses like 1+name@users.noreply.github.com into commits: mail to them bounces."""
    name, _, host = address.rpartition("@")
    return bool(name and host) and "noreply" not in address.lower()
