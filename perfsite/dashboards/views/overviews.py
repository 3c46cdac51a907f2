"""The twins of pages that gather several things: the home page, a project, a search, the workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from perfsite.dashboards.selectors.builds import BuildRow
from perfsite.dashboards.selectors.jobs import LiveJob
from perfsite.dashboards.selectors.search import Found
from perfsite.dashboards.selectors.workers import WorkerCard
from perfsite.dashboards.views.twins import Table
from perfsite.regressions.models import Incident, Verdict
from perfsite.runs.models import Job

_KINDS = ("regressed", "improved", "suspected", "unknown", "same")


def home_tables(context: dict[str, Any]) -> list[Table]:
    """Projects, what needs a person, what moved, what runs, sick GPUs, as the home page shows them."""
    projects = [
        (
            row.project.slug, row.project.name, row.newest.build.sha if row.newest else None,
            row.newest.state if row.newest else None, row.trend_change, row.unstable,
            *((row.judged.verdicts if row.judged else {}).get(kind, 0) for kind in _KINDS),
        )
        for row in context["rows"]
    ]  # fmt: skip
    names = ("project", "name", "newest_sha", "newest_state", "trend_change", "unstable", *_KINDS)
    ill = [
        (row.worker.name, row.worker.device_class, row.seconds, row.against_itself, row.against_others)
        for row in context["ill"]
    ]
    columns = ("worker", "device_class", "canary_seconds", "against_itself", "against_others")
    return [
        Table("projects", names, projects),
        incidents_table(context["incidents"]),
        moved_table(context["moved"]),
        running_table(context["running"]),
        Table("sick", columns, ill),
    ]


def incidents_table(incidents: Iterable[Incident]) -> Table:
    """Incidents in short."""
    rows = [
        (row.pk, row.project.slug, row.state, row.kind, row.build.sha, row.opened_at.isoformat())
        for row in incidents
    ]
    return Table("incidents", ("incident", "project", "state", "kind", "sha", "opened_at"), rows)


def moved_table(verdicts: Iterable[Verdict]) -> Table:
    """What moved, each with its cost where prices are known."""
    rows = [
        (row.created_at.isoformat(), row.series.project.slug, row.build.sha, row.kind, row.series.label,
         row.series.metric, row.relative, row.relative_low, row.relative_high, row.sentence,
         getattr(row, "cost", None))
        for row in verdicts
    ]  # fmt: skip
    names = ("decided_at", "project", "sha", "verdict", "series", "metric", "relative", "relative_low")
    return Table("moved", (*names, "relative_high", "sentence", "cost_per_device_hour"), rows)


def running_table(running: Iterable[LiveJob]) -> Table:
    """Jobs that run, how far they are (0 to 1) and how long they still take (s)."""
    rows = [
        (live.job.pk, live.job.run_id, live.job.kind, live.job.model, live.job.precision,
         live.job.device_class, live.stage, live.fraction, live.remaining_s)
        for live in running
    ]  # fmt: skip
    names = ("job", "run", "kind", "model", "precision", "device_class", "stage", "fraction", "remaining_s")
    return Table("running", names, rows)


def builds_table(rows: Sequence[BuildRow]) -> Table:
    """Builds with what their jobs did and what was decided."""
    found = [
        (
            row.build.ordinal, row.build.sha, row.build.received_at.isoformat(), row.build.author_name,
            row.build.subject, row.state, *(row.verdicts.get(kind, 0) for kind in _KINDS),
        )
        for row in rows
    ]  # fmt: skip
    return Table("builds", ("ordinal", "sha", "received_at", "author", "subject", "state", *_KINDS), found)


def failed_table(jobs: Iterable[Job]) -> Table:
    """Jobs that failed, with their reasons."""
    rows = [
        (job.pk, job.run_id, job.model, job.precision, job.failure_kind, job.failure,
         job.ended_at.isoformat() if job.ended_at else None)
        for job in jobs
    ]  # fmt: skip
    return Table("failed", ("job", "run", "model", "precision", "kind", "failure", "ended_at"), rows)


def search_tables(found: Found) -> list[Table]:
    """What a search found, a table of each kind."""
    series = [(row.pk, row.project_id, row.label, row.suite) for row in found.series]
    builds = [(row.pk, row.project.slug, row.sha, row.subject, row.author_name) for row in found.builds]
    return [
        Table(
            "projects",
            ("project", "name", "repo"),
            [(row.slug, row.name, row.repo) for row in found.projects],
        ),
        incidents_table(found.incidents),
        Table("builds", ("build", "project", "sha", "subject", "author"), builds),
        Table("series", ("series", "project_id", "label", "suite"), series),
    ]


def workers_tables(cards: Iterable[WorkerCard]) -> list[Table]:
    """The workers, and each reading of each."""
    cards = list(cards)
    rows = [
        (card.worker.name, card.worker.device_class, card.worker.device_name, card.is_here,
         card.worker.last_seen.isoformat(), card.live.job.pk if card.live else None)
        for card in cards
    ]  # fmt: skip
    names = ("worker", "device_class", "device_name", "is_here", "last_seen", "job")
    readings = [
        (card.worker.name, name, value)
        for card in cards
        if card.is_here
        for name, value in sorted(card.worker.telemetry.items())
    ]
    return [Table("workers", names, rows), Table("readings", ("worker", "reading", "value"), readings)]
