"""What the API says of projects, builds, runs, jobs and workers.  Times are in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema
from pydantic import Field

from perfsite.runs.models import Attempt, Build, Job, Run


class ProjectOut(Schema):
    """A watched repository."""

    id: int
    slug: str = Field(examples=["zoo"])
    name: str
    repo: str
    branch: str = Field(examples=["main"])
    is_public: bool
    created_at: datetime


class BuildOut(Schema):
    """A build; `reason` says why it was skipped or failed, `ordinal` is its place on its branch."""

    id: int
    project: str = Field(examples=["zoo"])
    branch: str
    sha: str = Field(examples=["3fa9c1d2a7b84e0f5c6d7e8f90a1b2c3d4e5f607"])
    parents: list[str]
    ordinal: int | None
    subject: str
    author_name: str
    committed_at: datetime | None
    is_head: bool
    state: str = Field(examples=["planned"])
    reason: str

    @staticmethod
    def resolve_project(row: Build) -> str:
        """By its slug."""
        return row.project.slug


class AttemptOut(Schema):
    """One try of a job by one worker."""

    number: int
    worker: str
    state: str
    reason: str

    @staticmethod
    def resolve_worker(attempt: Attempt) -> str:
        """By name; what was measured elsewhere has none."""
        return attempt.worker.name


class JobOut(Schema):
    """A job."""

    id: int
    run_id: int
    kind: str = Field(examples=["measure"])
    model: str
    precision: str
    device_class: str
    priority: int
    state: str = Field(examples=["queued"])
    tries: int
    failure_kind: str
    failure: str
    progress: dict[str, Any]
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    attempts: list[AttemptOut]

    @staticmethod
    def resolve_attempts(job: Job) -> list[Attempt]:
        """The first try first."""
        return sorted(job.attempts.all(), key=lambda attempt: attempt.number)


class JobDetailOut(JobOut):
    """A job with its order (`spec`) and the tail of its last attempt's log."""

    spec: dict[str, Any]
    log: str


class JobListedOut(JobOut):
    """A job with the build that it is about."""

    project: str = Field(examples=["zoo"])
    build_id: int
    sha: str = Field(examples=["3fa9c1d2a7b84e0f5c6d7e8f90a1b2c3d4e5f607"])

    @staticmethod
    def resolve_project(job: Job) -> str:
        """By its slug."""
        return job.run.build.project.slug

    @staticmethod
    def resolve_build_id(job: Job) -> int:
        """Of the run's build."""
        return job.run.build_id

    @staticmethod
    def resolve_sha(job: Job) -> str:
        """Of the run's build."""
        return job.run.build.sha


class ReproduceOut(Schema):
    """Shell lines that measure a job's cases again on one's own machine; none where its order is gone."""

    lines: list[str] = Field(
        examples=[["git clone https://forge.example/acme/models.git models && cd models"]]
    )


class RunOut(Schema):
    """One build on one device class."""

    id: int
    build_id: int
    device_class: str
    state: str
    created_at: datetime
    ended_at: datetime | None
    jobs: list[JobOut]

    @staticmethod
    def resolve_jobs(run: Run) -> list[Job]:
        """In the order they were queued."""
        return sorted(run.jobs.all(), key=lambda job: job.pk)


class WorkerOut(Schema):
    """A worker and when it was last heard of; `telemetry` is what it told last."""

    id: int
    name: str
    device_class: str
    device_name: str
    facts: dict[str, Any]
    telemetry: dict[str, Any]
    first_seen: datetime
    last_seen: datetime


class Done(Schema):
    """How many jobs were concerned."""

    jobs: int = Field(examples=[2])
