"""The reading API of projects, builds, runs, jobs and workers."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from perfsite.access.auth import MACHINES_AND_PEOPLE, READERS
from perfsite.access.readers import row_seen, rows_seen
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import RowId
from perfsite.runs.api_schemas import (
    BuildOut,
    JobDetailOut,
    JobListedOut,
    ProjectOut,
    ReproduceOut,
    RunOut,
    WorkerOut,
)
from perfsite.runs.models import Build, Job, Project, Run, Worker
from perfsite.runs.reproduce import reproduce_lines
from perfsite.runs.selectors import file_url

router = Router(auth=READERS, tags=["builds"])


class BuildFilter(Schema):
    """Which builds are wanted; `sha` may be the beginning of one."""

    branch: str | None = None
    sha: str | None = Field(None, pattern=r"^[0-9a-fA-F]{4,64}$")
    state: str | None = None


class JobFilter(Schema):
    """Which jobs are wanted; `project` is a slug."""

    project: str = Field("", max_length=60)
    state: str = Field("", max_length=12, examples=["running"])
    kind: str = Field("", max_length=12, examples=["measure"])
    device_class: str = Field("", max_length=64)


@router.get("/projects", response=Page[ProjectOut])
def projects(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Every project this reader may see."""
    return page_of(rows_seen(request, Project.objects.all(), project=""), cursor)


@router.get("/projects/{slug:slug}", response=ProjectOut)
def project(request: HttpRequest, slug: str) -> Project:
    """One project."""
    return row_seen(request, Project.objects.all(), project="", slug=slug)


@router.get("/projects/{slug:slug}/builds", response=Page[BuildOut])
def builds(
    request: HttpRequest, slug: str, wanted: Query[BuildFilter], cursor: Query[Cursor]
) -> dict[str, Any]:
    """A project's builds."""
    found = row_seen(request, Project.objects.all(), project="", slug=slug)
    rows = Build.objects.filter(project=found).select_related("project")
    if wanted.branch is not None:
        rows = rows.filter(branch=wanted.branch)
    if wanted.state is not None:
        rows = rows.filter(state=wanted.state)
    if wanted.sha is not None:
        rows = rows.filter(sha__startswith=wanted.sha.lower())
    return page_of(rows, cursor)


@router.get("/builds/{build_id}", response=BuildOut)
def build(request: HttpRequest, build_id: RowId) -> Build:
    """One build."""
    return row_seen(request, Build.objects.select_related("project"), pk=build_id)


@router.get("/builds/{build_id}/runs", response=Page[RunOut])
def build_runs(request: HttpRequest, build_id: RowId, cursor: Query[Cursor]) -> dict[str, Any]:
    """The runs of a build with their jobs."""
    found = row_seen(request, Build.objects.all(), pk=build_id)
    return page_of(_with_jobs(found.runs.all()), cursor)


@router.get("/runs/{run_id}", response=RunOut)
def run(request: HttpRequest, run_id: RowId) -> Run:
    """One run with its jobs."""
    return row_seen(request, _with_jobs(Run.objects.all()), project="build__project", pk=run_id)


@router.get("/jobs/{job_id}", response=JobDetailOut)
def job(request: HttpRequest, job_id: RowId) -> Job:
    """One job with its order and log."""
    rows = Job.objects.prefetch_related("attempts__worker")
    return row_seen(request, rows, project="run__build__project", pk=job_id)


@router.get("/jobs", response=Page[JobListedOut])
def jobs(request: HttpRequest, wanted: Query[JobFilter], cursor: Query[Cursor]) -> dict[str, Any]:
    """The jobs of every project this reader may see: what runs, waits or failed."""
    rows = rows_seen(request, Job.objects.all(), project="run__build__project")
    asked = {"run__build__project__slug": wanted.project, **wanted.model_dump(exclude={"project"})}
    rows = rows.filter(**{name: value for name, value in asked.items() if value})
    return page_of(rows.select_related("run__build__project").prefetch_related("attempts__worker"), cursor)


@router.get("/jobs/{job_id}/reproduce", response=ReproduceOut)
def reproduce(request: HttpRequest, job_id: RowId) -> dict[str, list[str]]:
    """How to measure a job's cases again on one's own machine."""
    rows = Job.objects.select_related("run__build__project")
    found = row_seen(request, rows, project="run__build__project", pk=job_id)
    build = found.run.build
    lines = reproduce_lines(found.spec, sha=build.sha, repo=build.project.repo, file=file_url(build))
    return {"lines": lines}


@router.get("/workers", response=Page[WorkerOut], auth=MACHINES_AND_PEOPLE, tags=["workers"])
def workers(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Every worker that ever joined."""
    return page_of(Worker.objects.all(), cursor)


def _with_jobs(rows: QuerySet[Run]) -> QuerySet[Run]:
    return rows.prefetch_related("jobs__attempts__worker")
