"""The claim: one worker gets the best job it may take, with a fencing token."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from perfsite.access.models import Token
from perfsite.core.errors import ConflictError
from perfsite.runs.cases import cases_of
from perfsite.runs.comparing import PAIRS_MOST
from perfsite.runs.confining import worker_confine
from perfsite.runs.lease import attempt_lose
from perfsite.runs.models import Attempt, Build, BuildFile, Worker
from perfsite.runs.pairs import pairs_of
from perfsite.runs.relevant import Relevant
from perfsite.runs.taking import best_take
from workers.messages import BuildSource, Device, FileSource, Order

log = logging.getLogger(__name__)
_SEEN_EVERY = timedelta(seconds=1)


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

    A worker runs one job at a time: whatever it held before, it has lost.
    """
    attempt = best_take(worker=worker)
    if attempt is None and _stale_lose(worker):
        attempt = best_take(worker=worker)
    _seen(worker)
    if attempt is not None:
        ids = {"job": attempt.job_id, "attempt": attempt.number, "worker": worker.name}
        log.info("job claimed", extra=ids)
    return attempt


def _stale_lose(worker: Worker) -> int:
    """Lose what a worker still holds that asks for more; returns how much that was."""
    held = list(Attempt.objects.filter(worker=worker, state="running").select_related("job"))
    for stale in held:
        attempt_lose(attempt=stale, reason=f"worker {worker.name} came back without it")
    return len(held)


def _seen(worker: Worker) -> None:
    """Note that the worker lives; not again within a second, one that drains a queue asks often."""
    now = timezone.now()
    if now - worker.last_seen >= _SEEN_EVERY:
        Worker.objects.filter(pk=worker.pk).update(last_seen=now)
        worker.last_seen = now


def order_make(*, attempt: Attempt) -> Order:
    """What the worker is told to do for this attempt."""
    job = attempt.job
    build = job.run.build
    builds = [build]
    if "base" in job.spec:
        builds.insert(0, Build.objects.get(pk=job.spec["base"]))
    sources = [_source_of(one, ref=job.spec.get("ref", "")) for one in builds]
    by_metric, by_case = Relevant(job.spec.get("relevant", {})).told(cases_of(job.spec))
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
        "relevant": by_metric,
        "case_relevant": by_case,
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
