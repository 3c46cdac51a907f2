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
from perfsite.runs.api_schemas import BuildOut, JobDetailOut, ProjectOut, RunOut, WorkerOut
from perfsite.runs.models import Build, Job, Project, Run, Worker

router = Router(auth=READERS, tags=["builds"])


class BuildFilter(Schema):
    """Which builds are wanted; `sha` may be the beginning of one."""

    branch: str | None = None
    sha: str | None = Field(None, pattern=r"^[0-9a-fA-F]{4,64}$")
    state: str | None = None


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
    rows = Build.objects.filter(project=found)
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
    return row_seen(request, Build.objects.all(), pk=build_id)


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


@router.get("/workers", response=Page[WorkerOut], auth=MACHINES_AND_PEOPLE, tags=["workers"])
def workers(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Every worker that ever joined."""
    return page_of(Worker.objects.all(), cursor)


def _with_jobs(rows: QuerySet[Run]) -> QuerySet[Run]:
    return rows.prefetch_related("jobs__attempts__worker")
