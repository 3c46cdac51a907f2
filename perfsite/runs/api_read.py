"""The reading API of projects, builds and runs, and the two orders a reader may give."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema

from perfsite.access.auth import READERS, WRITERS
from perfsite.access.readers import row_seen, rows_seen
from perfsite.core.pagination import LIMIT_DEFAULT, page_cut
from perfsite.runs.models import Attempt, Build, Job, Project, Run, Worker
from perfsite.runs.services import run_again, run_cancel

router = Router(auth=READERS, tags=["builds"])


class ProjectOut(Schema):
    """A watched repository."""

    slug: str
    name: str
    branch: str
    is_public: bool


class BuildOut(Schema):
    """A build; `reason` says why it was skipped or failed."""

    id: int
    branch: str
    sha: str
    parents: list[str]
    ordinal: int | None
    subject: str
    author_name: str
    committed_at: datetime | None
    state: str
    reason: str


class BuildPage(Schema):
    """Builds, the newest first; pass `next` as `before` for the next page."""

    items: list[BuildOut]
    next: int | None


class AttemptOut(Schema):
    """One try of a job by one worker."""

    number: int
    worker: str
    state: str
    reason: str

    @staticmethod
    def resolve_worker(attempt: Attempt) -> str:
        """By name."""
        return attempt.worker.name


class JobOut(Schema):
    """A job; times in UTC."""

    id: int
    kind: str
    model: str
    precision: str
    state: str
    tries: int
    failure_kind: str
    failure: str
    progress: dict
    started_at: datetime | None
    ended_at: datetime | None
    attempts: list[AttemptOut]

    @staticmethod
    def resolve_attempts(job: Job) -> list[Attempt]:
        """The first try first."""
        return list(job.attempts.select_related("worker").order_by("number"))


class RunOut(Schema):
    """One build on one device class."""

    id: int
    build_id: int
    device_class: str
    state: str
    jobs: list[JobOut]

    @staticmethod
    def resolve_jobs(run: Run) -> list[Job]:
        """In the order they were queued."""
        return list(run.jobs.order_by("id"))


class WorkerOut(Schema):
    """A worker and when it was last heard of."""

    name: str
    device_class: str
    device_name: str
    last_seen: datetime


class Done(Schema):
    """How many jobs were concerned."""

    jobs: int


@router.get("/projects", response=list[ProjectOut])
def projects(request: HttpRequest) -> list[Project]:
    """Every project this reader may see."""
    return list(rows_seen(request, Project.objects.order_by("slug"), project=""))


@router.get("/projects/{slug}/builds", response=BuildPage)
def builds(
    request: HttpRequest, slug: str, before: int | None = None, limit: int = LIMIT_DEFAULT
) -> dict[str, object]:
    """A project's builds."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    items, following = page_cut(Build.objects.filter(project=project), before=before, limit=limit)
    return {"items": items, "next": following}


@router.get("/builds/{build_id}/runs", response=list[RunOut])
def build_runs(request: HttpRequest, build_id: int) -> list[Run]:
    """The runs of a build with their jobs."""
    build = row_seen(request, Build.objects.all(), pk=build_id)
    return list(build.runs.order_by("id"))


@router.get("/runs/{run_id}", response=RunOut)
def run(request: HttpRequest, run_id: int) -> Run:
    """One run with its jobs."""
    return row_seen(request, Run.objects.all(), project="build__project", pk=run_id)


@router.post("/runs/{run_id}/cancel", response=Done, auth=WRITERS)
def cancel(request: HttpRequest, run_id: int) -> dict[str, int]:
    """Cancel what has not ended."""
    wanted = row_seen(request, Run.objects.all(), project="build__project", pk=run_id)
    waiting = wanted.jobs.filter(state__in=("queued", "running")).count()
    run_cancel(run=wanted)
    return {"jobs": waiting}


@router.post("/runs/{run_id}/again", response=Done, auth=WRITERS)
def again(request: HttpRequest, run_id: int) -> dict[str, int]:
    """Queue what failed or was cancelled once more."""
    wanted = row_seen(request, Run.objects.all(), project="build__project", pk=run_id)
    return {"jobs": run_again(run=wanted)}


@router.get("/workers", response=list[WorkerOut], auth=WRITERS + READERS[:1])
def workers(request: HttpRequest) -> list[Worker]:
    """Every worker that ever joined, the last seen first."""
    return list(Worker.objects.order_by("-last_seen"))
