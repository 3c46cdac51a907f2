"""Reads of builds, runs, jobs and workers."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from perfsite.runs.models import Attempt, Build, BuildFile, Job, Worker
from perfsite.runs.states import JOB_ENDED
from workers.messages import Device

# a class nobody has measured on for a month gets no jobs by itself
_CLASS_LIFETIME = timedelta(days=30)


def jobs_unfinished(*, build_id: int, device_class: str | None = None) -> QuerySet[Job]:
    """The measure jobs of a build that have not ended."""
    jobs = Job.objects.filter(run__build_id=build_id, kind=Job.Kind.MEASURE).exclude(state__in=JOB_ENDED)
    return jobs if device_class is None else jobs.filter(device_class=device_class)


def soak_disturbs(*, token: UUID) -> bool:
    """Whether the attempt is of a soak that its project lets yield, and another kind of job waits.

    A job that only another device may take does not wait for this one.
    """
    attempt = Attempt.objects.select_related("job", "worker").filter(token=token).first()
    if attempt is None or attempt.job.kind != Job.Kind.SOAK or not attempt.job.spec.get("yields"):
        return False
    mine = Q(pin="") | Q(pin=attempt.worker.device_uuid)
    # below zero are jobs nobody waits for: two that yield to each other would never end
    waiting = Job.objects.filter(mine, state="queued", device_class=attempt.job.device_class, priority__gte=0)
    return waiting.exclude(kind=Job.Kind.SOAK).exists()


def device_classes_known() -> list[str]:
    """The device classes that a worker was seen with in the last month, sorted."""
    since = timezone.now() - _CLASS_LIFETIME
    seen = Worker.objects.filter(last_seen__gte=since).values_list("device_class", flat=True)
    return sorted(set(seen))


def device_classes_waiting() -> list[str]:
    """The device classes that have a queued job."""
    queued = Job.objects.filter(state="queued").order_by()  # the database picks: the queue may be long
    return sorted(queued.values_list("device_class", flat=True).distinct())


def worker_get(*, name: str, device: Device) -> Worker | None:
    """The worker of this name on this device, None when it never said hello."""
    workers = Worker.objects.select_related("token")
    return workers.filter(name=name, device_uuid=device.uuid).first()


def device_alive(*, job: Job) -> str:
    """The device that did a job, when a worker with it was seen within a lease's length; else empty."""
    attempt = Attempt.objects.filter(job=job, state="reported").select_related("worker").first()
    if attempt is None:
        return ""
    since = timezone.now() - timedelta(seconds=settings.LEASE_SECONDS)
    uuid = attempt.worker.device_uuid
    return uuid if Worker.objects.filter(device_uuid=uuid, last_seen__gte=since).exists() else ""


def build_may_be_measured(*, build: Build) -> bool:
    """Whether a build has its place on the branch and no measure job, so that a person may order one."""
    placed = build.ordinal is not None and build.state in ("skipped", "planned")
    return placed and not Job.objects.filter(run__build=build, kind=Job.Kind.MEASURE).exists()


def file_url(build: Build) -> str:
    """Where the delivered file of a build is; empty for a commit."""
    file: BuildFile | None = getattr(build, "file", None)
    return file.url if file else ""
