"""What is there before anything is measured: a long history, a project, workers and a full queue."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from perfsite.demo.history.generate import history_generate
from perfsite.runs.models import Attempt, Build, Job, Project, Run, Worker
from perfsite.runs.queue import worker_greet
from perfsite.runs.services import PRIORITY_HEAD, project_add
from workers.messages import Device

LONGEST = 10_000
_BATCH = 2_000
_FEWEST = 20


def history_fill(points: int) -> None:
    """Measurements in series of 10,000 points, or in one of all where there are fewer."""
    builds = max(_FEWEST, min(LONGEST, points))
    history_generate(
        slug="history", series=max(1, points // builds), builds=builds, seed=1, until=timezone.now()
    )


def project_made(slug: str) -> Project:
    """A project that nothing is known of."""
    return project_add(slug=slug, repo=f"https://forge.example/acme/{slug}.git")


def workers_made(count: int, device_class: str) -> list[Worker]:
    """Workers that just said hello."""
    return [
        worker_greet(
            name=f"{device_class}-{number}",
            device=Device(device_class=device_class, name="bench", uuid=f"{device_class}-{number}"),
            facts={},
        )
        for number in range(count)
    ]


def jobs_made(
    project: Project, count: int, *, device_class: str, spec: dict, per_build: int = 10, first: int = 1
) -> list[Job]:
    """`count` queued jobs, `per_build` of them for each build, as pushes leave them."""
    places = range(first, first + -(-count // per_build))
    builds = Build.objects.bulk_create(
        [
            Build(project=project, branch="main", ordinal=place, state="planned", sha=_sha(project, place))
            for place in places
        ],
        batch_size=_BATCH,
    )
    runs = Run.objects.bulk_create(
        [Run(build=build, device_class=device_class) for build in builds], batch_size=_BATCH
    )
    return Job.objects.bulk_create(
        [
            Job(
                run=runs[number // per_build],
                device_class=device_class,
                model=f"model-{number % per_build}",
                precision="fp32",
                spec=spec,
                priority=PRIORITY_HEAD,
            )
            for number in range(count)
        ],
        batch_size=_BATCH,
    )


def attempts_made(jobs: Sequence[Job], worker: Worker) -> list[Attempt]:
    """A running attempt for each job, as if one worker held them all: who claimed does not matter here."""
    later = timezone.now() + timedelta(hours=1)
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(state="running", tries=1)
    return Attempt.objects.bulk_create(
        [
            Attempt(job=job, number=1, worker=worker, token=uuid.uuid4(), lease_expires_at=later)
            for job in jobs
        ],
        batch_size=_BATCH,
    )


def _sha(project: Project, place: int) -> str:
    return hashlib.sha256(f"{project.slug}{place}".encode()).hexdigest()[:40]
