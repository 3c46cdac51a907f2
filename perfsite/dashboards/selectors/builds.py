"""Builds as one row each: what their jobs did, what was decided, how long it took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, F, QuerySet

from perfsite.dashboards.charts.sparkline import Segment, bar_segments
from perfsite.dashboards.selectors.verdicts import verdict_counts
from perfsite.regressions.models import Incident
from perfsite.runs.models import Build, Job, Project, Run

# the parts of a state bar, in the order they are drawn
BAR_ORDER = ("done", "failed", "cancelled", "running", "queued")


@dataclass(frozen=True)
class BuildRow:
    """A build for a table."""

    build: Build
    runs: Sequence[Run] = ()
    jobs: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    incident_id: int | None = None

    @property
    def state(self) -> str:
        """One word: the build's own state until jobs exist, then what the jobs say."""
        if not self.jobs:
            return self.build.state
        if self.jobs.get("running") or self.jobs.get("queued"):
            return "running" if len(self.jobs) > 1 or self.jobs.get("running") else "queued"
        return (
            "failed"
            if self.jobs.get("failed")
            else "cancelled"
            if set(self.jobs) == {"cancelled"}
            else "done"
        )

    @property
    def segments(self) -> list[Segment]:
        """The jobs by state as parts of one bar."""
        return bar_segments(self.jobs, order=BAR_ORDER)

    @property
    def job_count(self) -> int:
        """How many jobs the build has, over all its runs."""
        return sum(self.jobs.values())

    @property
    def ended_count(self) -> int:
        """How many of them ended."""
        return sum(self.jobs.get(state, 0) for state in ("done", "failed", "cancelled"))

    @property
    def is_live(self) -> bool:
        """True while a job of it waits or runs."""
        return bool(self.jobs.get("running") or self.jobs.get("queued"))

    @property
    def duration(self) -> timedelta | None:
        """From the first run's order to the last run's end; None while one is under way."""
        ends: list[datetime] = [run.ended_at for run in self.runs if run.ended_at]
        if not self.runs or len(ends) < len(self.runs):
            return None
        return max(ends) - min(run.created_at for run in self.runs)

    @property
    def tone(self) -> str:
        """The build in one word for a strip: the worst that is known of it."""
        for kind in ("regressed", "failed", "running", "improved"):
            if self.verdicts.get(kind) or self.state == kind:
                return kind
        return "skipped" if self.build.state == "skipped" else "waiting" if not self.ended_count else "same"


def builds_recent(*, project: Project) -> QuerySet[Build]:
    """The builds of a project, the newest first: by place on the branch, then by arrival.

    Those of pull requests are not among them: they have pages of their own, and no branch.
    """
    return project.builds.exclude(branch__startswith="refs/").order_by(
        F("ordinal").desc(nulls_first=True), "-received_at", "-id"
    )


def build_rows(*, builds: Sequence[Build]) -> list[BuildRow]:
    """The builds with all a row shows, in a fixed number of queries for any number of them."""
    ids = [build.pk for build in builds]
    jobs: dict[int, dict[str, int]] = defaultdict(dict)
    counted = (
        Job.objects.filter(run__build_id__in=ids).values("run__build_id", "state").annotate(count=Count("id"))
    )
    for row in counted.order_by():
        jobs[row["run__build_id"]][row["state"]] = row["count"]
    runs: dict[int, list[Run]] = defaultdict(list)
    for run in Run.objects.filter(build_id__in=ids).order_by("device_class"):
        runs[run.build_id].append(run)
    verdicts = verdict_counts(build_ids=ids)
    incidents = dict(
        Incident.objects.filter(build_id__in=ids)
        .exclude(kind=Incident.Kind.SERVICE)
        .values_list("build_id", "id")
    )
    return [
        BuildRow(build, runs[build.pk], jobs[build.pk], verdicts.get(build.pk, {}), incidents.get(build.pk))
        for build in builds
    ]
