"""The claim: one worker gets the best job it may take, with a fencing token."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone

from perfsite.access.models import Token
from perfsite.core.errors import ConflictError
from perfsite.runs.comparing import PAIRS_MOST
from perfsite.runs.confining import worker_confine
from perfsite.runs.lease import attempt_lose
from perfsite.runs.models import Attempt, Build, BuildFile, Job, Worker
from perfsite.runs.pairs import pairs_drop_others, pairs_of
from perfsite.runs.services import run_running
from workers.messages import BuildSource, Device, FileSource, Order

log = logging.getLogger(__name__)
_SEEN_EVERY = timedelta(seconds=1)
_TRIED = 5


@transaction.atomic
def worker_greet(*, name: str, device: Device, facts: dict, token: Token | None = None) -> Worker:
    """Note a worker that introduces itself with `token`; without one it is nobody's until a token comes.

    Raises:
        ForbiddenError: the name is a worker's of another living token.
        ConflictError: a living worker on another device has this name.
    """
    told = {
        "device_class": device.device_class,
        "device_name": device.name,
        "device_uuid": device.uuid,
        "facts": facts,
        "last_seen": timezone.now(),
    }
    # of two that are new at once, the second finds the first one's row
    worker, new = Worker.objects.select_for_update().get_or_create(
        name=name, defaults={**told, "token": token}
    )
    if new:
        return worker
    if token is not None:
        worker_confine(worker=worker, token=token)
    _check_not_elsewhere(worker, device)
    Worker.objects.filter(pk=worker.pk).update(**told)
    worker.refresh_from_db()
    return worker


def _check_not_elsewhere(known: Worker, device: Device) -> None:
    alive = timezone.now() - timedelta(seconds=settings.LEASE_SECONDS)
    if known.device_uuid != device.uuid and known.last_seen > alive:
        raise ConflictError(
            f"a worker {known.name!r} is alive on {known.device_name} ({known.device_uuid}); "
            "give this one another name with --name"
        )


def job_claim(*, worker: Worker) -> Attempt | None:
    """Give `worker` the best queued job it may take, or None.

    A worker runs one job at a time: whatever it held before, it has lost.  The UPDATE decides
    between two claimers; SKIP LOCKED only spares PostgreSQL's claimers the wait for each other.
    """
    for stale in Attempt.objects.filter(worker=worker, state="running").select_related("job"):
        attempt_lose(attempt=stale, reason=f"worker {worker.name} came back without it")
    _seen(worker)
    if connection.features.has_select_for_update_skip_locked:
        with transaction.atomic():
            return _first_taken(_candidates(worker).select_for_update(skip_locked=True)[:1], worker)
    # SQLite: one writes at a time, so what may be read before is
    jobs = list(_candidates(worker)[:_TRIED])
    if not jobs:
        return None
    with transaction.atomic():
        return _first_taken(jobs, worker)


def _first_taken(jobs: Iterable[Job], worker: Worker) -> Attempt | None:
    """The attempt at the first of these jobs that nobody else took meanwhile."""
    for job in jobs:
        now = timezone.now()
        taken = Job.objects.filter(pk=job.pk, state="queued").update(
            state="running", tries=F("tries") + 1, started_at=now, progress={}, log=""
        )
        if taken:
            attempt = _attempt_open(job=job, worker=worker)
            ids = {"job": job.pk, "attempt": attempt.number, "worker": worker.name}
            log.info("job claimed", extra={**ids, "run": job.run_id})
            return attempt
    return None


def _seen(worker: Worker) -> None:
    """Note that the worker lives; not again within a second, one that drains a queue asks often."""
    now = timezone.now()
    if now - worker.last_seen >= _SEEN_EVERY:
        Worker.objects.filter(pk=worker.pk).update(last_seen=now)
        worker.last_seen = now


def _candidates(worker: Worker) -> QuerySet[Job]:
    """The jobs to try, the best first."""
    mine = Q(pin="") | Q(pin=worker.device_uuid)
    jobs = Job.objects.filter(mine, state="queued", device_class=worker.device_class)
    return jobs.order_by("-priority", "id").only("run_id", "kind")


def _attempt_open(*, job: Job, worker: Worker) -> Attempt:
    if job.kind == Job.Kind.COMPARE:
        pairs_drop_others(job_id=job.pk, device_uuid=worker.device_uuid)
    last = Attempt.objects.filter(job_id=job.pk).aggregate(last=Max("number"))["last"] or 0
    attempt = Attempt.objects.create(
        job_id=job.pk,
        number=last + 1,
        worker=worker,
        lease_expires_at=timezone.now() + timedelta(seconds=settings.LEASE_SECONDS),
    )
    run_running(run_id=job.run_id)
    return attempt


def order_make(*, attempt: Attempt) -> Order:
    """What the worker is told to do for this attempt."""
    job = attempt.job
    build = job.run.build
    builds = [build]
    if "base" in job.spec:
        builds.insert(0, Build.objects.get(pk=job.spec["base"]))
    sources = [_source_of(one, ref=job.spec.get("ref", "")) for one in builds]
    fields = {
        "job_id": job.pk,
        "attempt": attempt.number,
        "token": str(attempt.token),
        "kind": job.kind,
        "project": build.project.slug,
        "builds": sources,
        "model": job.model,
        "source": job.spec["source"],
        "precision": job.precision,
        "cases": job.spec["cases"],
        "watch": job.spec.get("watch", []),
        "suspected": job.spec.get("suspected", []),
        "pairs": pairs_of(job=job),
        "max_pairs": job.spec.get("max_pairs", PAIRS_MOST),
        "relevant": job.spec.get("relevant", {}),
        "limits": job.spec.get("limits", {}),
    }
    if "alpha" in job.spec:
        fields["alpha"] = job.spec["alpha"]
    return Order.model_validate(fields)


def _source_of(build: Build, *, ref: str) -> BuildSource:
    """Where a worker gets a build: a commit of the repository, or a delivered file."""
    told = BuildFile.objects.filter(build=build).first()
    file = None
    if told is not None:
        most = min(told.size or settings.FETCH_MAX_BYTES, settings.FETCH_MAX_BYTES)
        fields = {"url": told.url, "format": told.format, "size": told.size, "max_bytes": most}
        file = FileSource.model_validate(fields)
    return BuildSource(build_id=build.pk, repo=build.project.repo, sha=build.sha, ref=ref, file=file)
