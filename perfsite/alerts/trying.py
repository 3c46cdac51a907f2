"""What a rule would have told over the last days, before it is saved; writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from perfsite.alerts.deciding import Decision, Terms, decide
from perfsite.alerts.facts import improvements_of, incident_series, series_facts
from perfsite.alerts.models import Mute
from perfsite.regressions.models import Incident, Verdict
from perfsite.runs.models import Build, Project

MOST = 500


@dataclass(frozen=True)
class TrialRow:
    """One incident, or one build's improvements, and what the rule would have decided at that moment."""

    at: datetime
    build: Build
    incident: Incident | None
    decision: Decision


@dataclass(frozen=True)
class Trial:
    """`counts` by the words of `deciding`; `rows` the newest first."""

    days: int
    counts: dict[str, int]
    rows: Sequence[TrialRow]

    @property
    def told(self) -> int:
        """How many would have been a message of their own."""
        return self.counts.get("now", 0) + self.counts.get("hold", 0)


def rule_try(*, project: Project, terms: Terms, days: int, now: datetime) -> Trial:
    """Replay the last `days` through a rule, each incident at the moment it was opened.

    Series count as muted where they were muted at that moment.
    """
    since = now - timedelta(days=days)
    mutes = list(Mute.objects.filter(project=project, until__gt=since))
    rows: list[TrialRow] = []
    told: list[datetime] = []
    for at, build, incident in _history(project, since, improvements=terms.improvements):
        facts = incident_series(incident=incident) if incident else series_facts(improvements_of(build=build))
        if not facts:
            continue
        muted = {row.series_id for row in mutes if row.created_at <= at < row.until}
        decision = decide(facts, terms, now=at, muted=muted, told=told, is_improvement=incident is None)
        if decision.at is not None and decision.word in ("now", "hold"):
            told.append(decision.at)
        rows.append(TrialRow(at, build, incident, decision))
    counts = Counter(row.decision.word for row in rows)
    return Trial(days=days, counts=dict(counts), rows=rows[::-1])


def _history(
    project: Project, since: datetime, *, improvements: bool
) -> list[tuple[datetime, Build, Incident | None]]:
    """What happened since, in order."""
    rows = Incident.objects.filter(project=project, opened_at__gte=since, merged_into=None)
    newest = rows.select_related("build", "project").order_by("-opened_at", "-id")[:MOST]
    happened: list[tuple[datetime, Build, Incident | None]] = [
        (row.opened_at, row.build, row) for row in newest
    ]
    if improvements:
        stages = ("confirmation", "screen")
        better = Verdict.objects.filter(
            build__project=project, kind=Verdict.Kind.IMPROVED, created_at__gte=since, stage__in=stages
        )
        recent = better.select_related("build__project").order_by("-id")[:MOST]
        first = {row.build_id: row for row in recent}
        happened += [(row.created_at, row.build, None) for row in first.values()]
    return sorted(happened, key=lambda one: one[0])
