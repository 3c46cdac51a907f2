"""The orders a caller may give: builds without a webhook, cancel, run again, measure after the event."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field, field_validator

from perfsite.access.auth import DELIVERERS
from perfsite.access.readers import row_owned
from perfsite.core.errors import PerfsiteError
from perfsite.core.parameters import ID_MAX, Ordinal, RowId
from perfsite.runs.api_read import router as reading
from perfsite.runs.api_schemas import BuildOut, Done
from perfsite.runs.backfill import Backfill, Wish, backfill_order, builds_placed
from perfsite.runs.commits import Commit
from perfsite.runs.models import Build, Job, Project, Run
from perfsite.runs.services import builds_receive, job_again, job_cancel, run_again, run_cancel

router = Router(auth=DELIVERERS, tags=["orders"])

SHA = r"^[0-9a-f]{40}([0-9a-f]{24})?$"


class BuildIn(Schema):
    """A commit that was pushed; git is asked for whatever is not told, when the build is planned."""

    sha: str = Field(pattern=SHA, examples=["3fa9c1d2a7b84e0f5c6d7e8f90a1b2c3d4e5f607"])
    branch: str = Field("", max_length=200, description="The project's branch when empty.")
    parents: list[str] = Field([], max_length=50)
    subject: str = Field("", max_length=300)
    author_name: str = Field("", max_length=200)
    author_email: str = Field("", max_length=254)
    committed_at: datetime | None = None

    @field_validator("sha", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    def commit(self) -> Commit:
        """The commit as the site knows it."""
        return Commit(
            sha=self.sha,
            subject=self.subject,
            author_name=self.author_name,
            author_email=self.author_email,
            committed_at=self.committed_at,
            parents=tuple(self.parents),
        )


class BackfillIn(Schema):
    """Which builds to measure: by id, or every one of a branch from ordinal `first` to `last`.

    An empty `branch` is the project's; an empty `device_class` or `model` is whatever the commit's
    `perfsite.toml` says.
    """

    builds: list[int] = Field([], max_length=500, examples=[[12, 13]])
    first: Ordinal | None = None
    last: Ordinal | None = None
    branch: str = Field("", max_length=200)
    device_class: str = Field("", max_length=64)
    model: str = Field("", max_length=100)


class RefusedOut(Schema):
    """A build that cannot be measured, and why."""

    build_id: int
    sha: str
    reason: str


class BackfillOut(Schema):
    """How many jobs were queued; what was measured or waits already is not queued again."""

    jobs: int
    refused: list[RefusedOut]


# of the reading router: one address is one router's, whatever the method
@reading.post("/projects/{slug:slug}/builds", response=BuildOut, auth=DELIVERERS, tags=["orders"])
def build_deliver(request: HttpRequest, slug: str, body: BuildIn) -> Build:
    """Tell of a commit without a webhook; it is planned as a push of it would be, once."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    branch = body.branch or project.branch
    with transaction.atomic():
        return builds_receive(project=project, branch=branch, commits=[body.commit()], head=body.sha)[0]


@router.post("/projects/{slug:slug}/backfill", response=BackfillOut)
def backfill(request: HttpRequest, slug: str, body: BackfillIn) -> dict[str, object]:
    """Measure builds that were skipped, or never measured on a device class."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    builds = _builds(project, body)
    wish = Wish(device_class=body.device_class, model=body.model)
    return backfill_told(backfill_order(project=project, builds=builds, wish=wish))


@router.post("/runs/{run_id}/cancel", response=Done)
def cancel(request: HttpRequest, run_id: RowId) -> dict[str, int]:
    """Cancel the jobs of a run that have not ended."""
    wanted = row_owned(request, Run.objects.all(), project="build__project", pk=run_id)
    waiting = wanted.jobs.filter(state__in=("queued", "running")).count()
    run_cancel(run=wanted)
    return {"jobs": waiting}


@router.post("/runs/{run_id}/again", response=Done)
def again(request: HttpRequest, run_id: RowId) -> dict[str, int]:
    """Queue what failed or was cancelled of a run once more."""
    wanted = row_owned(request, Run.objects.all(), project="build__project", pk=run_id)
    return {"jobs": run_again(run=wanted)}


@router.post("/jobs/{job_id}/cancel", response=Done)
def cancel_job(request: HttpRequest, job_id: RowId) -> dict[str, int]:
    """Cancel one job: at once when it waits, at its next heartbeat when it runs."""
    wanted = row_owned(request, Job.objects.all(), project="run__build__project", pk=job_id)
    job_cancel(job=wanted)
    return {"jobs": int(wanted.state in ("queued", "running"))}


@router.post("/jobs/{job_id}/again", response=Done)
def again_job(request: HttpRequest, job_id: RowId) -> dict[str, int]:
    """Queue one failed or cancelled job once more."""
    wanted = row_owned(request, Job.objects.all(), project="run__build__project", pk=job_id)
    return {"jobs": int(job_again(job=wanted))}


def backfill_told(done: Backfill) -> dict[str, object]:
    """What became of an order, as `BackfillOut`."""
    refused = [{"build_id": row.pk, "sha": row.sha, "reason": why} for row, why in done.refused]
    return {"jobs": len(done.jobs), "refused": refused}


def _builds(project: Project, body: BackfillIn) -> list[Build]:
    if body.first is not None and body.last is not None:
        return builds_placed(project=project, first=body.first, last=body.last, branch=body.branch)
    if not body.builds:
        raise PerfsiteError("nothing to measure: give the ids of `builds`, or `first` and `last`")
    found = Build.objects.filter(project=project).in_bulk([key for key in body.builds if 0 < key <= ID_MAX])
    if missing := [key for key in body.builds if key not in found]:
        raise PerfsiteError(
            f"project {project.slug} has no build {missing[0]}; its builds are listed at /builds"
        )
    return [found[key] for key in dict.fromkeys(body.builds)]
