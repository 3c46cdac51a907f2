"""The API of what the first page shows: every project in one row, the devices' health, one search."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from perfsite.access.auth import MACHINES_AND_PEOPLE, READERS
from perfsite.access.readers import rows_seen
from perfsite.dashboards.selectors.hardware import Fitness, fitness_rows
from perfsite.dashboards.selectors.home import ProjectRow, incidents_open, project_rows
from perfsite.dashboards.selectors.jobs import jobs_queued_count, jobs_running
from perfsite.dashboards.selectors.search import Found, everything_find
from perfsite.dashboards.selectors.workers import workers_unserved
from perfsite.regressions.models import Incident
from perfsite.results.api_schemas import SeriesOut
from perfsite.runs.api_schemas import BuildOut, ProjectOut
from perfsite.runs.models import Project

router = Router(auth=READERS, tags=["overview"])


class ProjectRowOut(Schema):
    """A project at a glance; `trend_change` is its headline metric's, as geometric mean over 30 builds."""

    slug: str = Field(examples=["zoo"])
    newest_build_id: int | None
    newest_sha: str | None
    newest_state: str | None = Field(examples=["done"])
    verdicts: dict[str, int] = Field(examples=[{"regressed": 1, "same": 23}])
    trend_title: str = Field(examples=["Latency p50"])
    trend_change: float | None
    unstable: float | None = Field(description="The share of unstable points, 0 to 1.")


class OpenIncidentOut(Schema):
    """An incident that nobody has triaged."""

    id: int
    project: str = Field(examples=["zoo"])
    build_id: int
    sha: str
    subject: str
    state: str = Field(examples=["untriaged"])
    opened_at: datetime

    @staticmethod
    def resolve_project(row: Incident) -> str:
        """By its slug."""
        return row.project.slug

    @staticmethod
    def resolve_sha(row: Incident) -> str:
        """Of the accused build."""
        return row.build.sha

    @staticmethod
    def resolve_subject(row: Incident) -> str:
        """Of the accused build."""
        return row.build.subject


class OverviewOut(Schema):
    """Every project in one row, what needs a person, how much runs and waits.

    `unserved` are device classes with a queued job and no worker.  /jobs, /incidents and /moved list all.
    """

    projects: list[ProjectRowOut]
    incidents: list[OpenIncidentOut]
    running: int
    queued: int
    unserved: list[str]


class FitnessOut(Schema):
    """How a worker's device does on the canary: 0.07 is 7 % slower than it was, or than its like."""

    worker: str
    device_class: str = Field(examples=["h100"])
    seconds: float
    against_itself: float
    against_others: float | None
    others: int
    is_ill: bool

    @staticmethod
    def resolve_worker(row: Fitness) -> str:
        """By name."""
        return row.worker.name

    @staticmethod
    def resolve_device_class(row: Fitness) -> str:
        """Of the worker."""
        return row.worker.device_class


class SearchAsk(Schema):
    """What is looked for."""

    q: str = Field(max_length=200, examples=["resnet50"])


class FoundOut(Schema):
    """At most twelve of each, the newest first."""

    projects: list[ProjectOut]
    builds: list[BuildOut]
    series: list[SeriesOut]
    incidents: list[OpenIncidentOut]


@router.get("/overview", response=OverviewOut)
def overview(request: HttpRequest) -> dict[str, Any]:
    """What the first page shows."""
    projects = list(rows_seen(request, Project.objects.order_by("name"), project=""))
    return {
        "projects": [_row(row) for row in project_rows(projects=projects)],
        "incidents": incidents_open(projects=projects),
        "running": len(jobs_running(projects=projects)),
        "queued": jobs_queued_count(projects=projects),
        "unserved": workers_unserved(now=timezone.now()),
    }


def _row(row: ProjectRow) -> dict[str, Any]:
    return {
        "slug": row.project.slug,
        "newest_build_id": row.newest.build.pk if row.newest else None,
        "newest_sha": row.newest.build.sha if row.newest else None,
        "newest_state": row.newest.state if row.newest else None,
        "verdicts": row.judged.verdicts if row.judged else {},
        "trend_title": row.trend_title,
        "trend_change": row.trend_change,
        "unstable": row.unstable,
    }


@router.get("/search", response=FoundOut)
def search(request: HttpRequest, ask: Query[SearchAsk]) -> Found:
    """Projects, builds, series and incidents that match."""
    projects = list(rows_seen(request, Project.objects.order_by("name"), project=""))
    return everything_find(text=ask.q, projects=projects)


@router.get("/workers/fitness", response=list[FitnessOut], auth=MACHINES_AND_PEOPLE, tags=["workers"])
def fitness(request: HttpRequest) -> list[Fitness]:
    """How healthy the devices are, the ill ones first."""
    return fitness_rows()
