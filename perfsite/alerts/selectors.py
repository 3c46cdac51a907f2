"""What there is to tell, and what is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from perfsite.alerts.models import Channel, Mute, Notification, Rule, Sending, Telling
from perfsite.regressions.bisection.due import build_is_settled, incident_is_searched
from perfsite.regressions.incident_states import OPEN_STATES
from perfsite.regressions.models import Incident, Verdict
from perfsite.regressions.selectors import bisections_of
from perfsite.runs.models import Build, Project

# one message with everything beats three in a row, but nobody waits for a stuck job for ever
PATIENCE = timedelta(minutes=10)
# a search for the guilty commit takes several comparisons, and tells whom to write to
SEARCH_PATIENCE = timedelta(hours=2)
# what is older was missed for a reason that a person saw: a new channel does not tell of the past
RECENT = timedelta(days=7)
_TOLD = (Notification.Occasion.INCIDENT,)


def incidents_due(*, now: datetime) -> Iterator[Incident]:
    """Incidents nobody was told of whose build has no open question, or that waited long enough.

    One that stands again after it was taken back is told again, once for each opening.  One at a time: of
    a thousand the first is told before the last was looked at.
    """
    decided = Telling.objects.filter(
        incident=OuterRef("pk"), opening=OuterRef("opening"), occasion=Notification.Occasion.INCIDENT
    )
    rows = Incident.objects.annotate(since=Coalesce("reopened_at", "opened_at")).filter(
        Q(told_at=None) | Q(opening__gt=1),  # of a split the first was told
        Q(regressions__isnull=False) | Q(kind=Incident.Kind.SERVICE),
        ~Exists(decided),
        merged_into=None,
        state__in=OPEN_STATES,
        since__gte=now - RECENT,
    )
    untold = rows.select_related("project__owner", "build", "culprit").distinct().order_by("id")
    return (row for row in untold if _is_due(row, row.since, now))


def _is_due(incident: Incident, since: datetime, now: datetime) -> bool:
    if since <= now - SEARCH_PATIENCE or build_is_settled(build=incident.build):
        return True
    searching = bool(bisections_of(incident=incident)) and incident_is_searched(incident=incident)
    return since <= now - PATIENCE and not searching


def withdrawals_due() -> list[Telling]:
    """Messages that went out, or may have, about incidents that were withdrawn since, not yet taken back.

    What was composed after the withdrawal said so itself.
    """
    said = Sending.objects.filter(
        notification=OuterRef("notification"),
        state="taken",
        started_at__gte=OuterRef("incident__withdrawn_at"),
    )
    again = Telling.objects.filter(
        incident=OuterRef("incident"),
        channel=OuterRef("channel"),
        recipient=OuterRef("recipient"),
        opening=OuterRef("opening"),
        occasion=Notification.Occasion.WITHDRAWAL,
    )
    rows = Telling.objects.filter(
        occasion=Notification.Occasion.INCIDENT,
        notification__state__in=("sent", "uncertain"),
        opening=F("incident__opening"),
        incident__withdrawn_at__isnull=False,
        incident__state="withdrawn",
    )
    return list(
        rows.exclude(Exists(again) | Exists(said))
        .select_related("incident__project", "channel", "rule")
        .order_by("id")
    )


def tellings_reopened(*, now: datetime) -> QuerySet[Telling]:
    """What was not sent because its incident was closed, and it stands again: nobody heard of it yet."""
    return Telling.objects.filter(
        notification=None,
        due_at=None,
        decision__in=("now", "hold", "digest", "capped"),
        occasion=Notification.Occasion.INCIDENT,
        opening=F("incident__opening"),
        created_at__gte=now - RECENT,
        incident__state__in=OPEN_STATES,
        incident__merged_into=None,
    )


def improvements_due(*, now: datetime) -> list[Build]:
    """Builds with a fresh improvement in projects whose rules ask for them, not decided about yet."""
    projects = Rule.objects.filter(improvements=True, is_enabled=True).values_list("project_id", flat=True)
    better = Verdict.objects.filter(
        kind=Verdict.Kind.IMPROVED,
        stage__in=("confirmation", "screen"),
        created_at__gte=now - RECENT,
        build__project__in=list(projects),
    )
    told = Telling.objects.filter(build=OuterRef("pk"))
    rows = Build.objects.filter(pk__in=better.values("build_id")).exclude(Exists(told))
    found = rows.select_related("project__owner").order_by("id")
    return [build for build in found if build_is_settled(build=build)]


def rules_of(*, project: Project) -> list[Rule]:
    """The enabled rules of a project with their channels, the oldest first."""
    rows = Rule.objects.filter(project=project, is_enabled=True).prefetch_related("channels")
    return list(rows.order_by("id"))


def muted_series(*, project: Project, now: datetime) -> set[int]:
    """The series nobody is to hear of now."""
    return set(mutes_running(project=project, now=now).values_list("series_id", flat=True))


def mutes_running(*, project: Project, now: datetime) -> QuerySet[Mute]:
    """The mutes that hold now, the one that ends first."""
    rows = Mute.objects.filter(project=project, until__gt=now)
    return rows.select_related("series").order_by("until", "id")


def told_moments(*, rule: Rule, channel: Channel, recipient: str, since: datetime) -> list[datetime]:
    """When messages of a rule went, or go, to one recipient by one channel."""
    rows = Telling.objects.filter(
        rule=rule, channel=channel, recipient=recipient, decision__in=("now", "hold"), due_at__gte=since
    )
    return [moment for moment in rows.values_list("due_at", flat=True) if moment is not None]


def notifications_due(*, now: datetime) -> QuerySet[Notification]:
    """The queued notifications whose time has come, the longest waiting first.

    A channel that is disabled, or rests since it did not answer, waits; of one that did not answer lately
    the rest comes last, so that the others do not wait for it.
    """
    rows = Notification.objects.filter(
        Q(channel__rests_until=None) | Q(channel__rests_until__lte=now),
        state="queued",
        due_at__lte=now,
        channel__is_enabled=True,
        channel__disabled_at=None,
    )
    return rows.order_by("channel__unanswered", "due_at", "id")
