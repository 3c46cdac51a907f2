"""The API of workers: introduce, claim, progress, pairs, failure, give back."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Schema, Status

from perfsite.access.auth import WORKERS, worker_token
from perfsite.core.errors import ConflictError
from perfsite.core.problems import Problem
from perfsite.runs import lease, queue
from perfsite.runs.confining import attempt_confine, worker_confine
from perfsite.runs.pairs import pair_store
from perfsite.runs.selectors import soak_disturbs, worker_get
from workers.messages import (
    PROTOCOL,
    ClaimRequest,
    Failure,
    Hello,
    Order,
    Pair,
    Progress,
    ProgressAnswer,
    Welcome,
)

router = Router(auth=WORKERS, tags=["worker"])


class Kept(Schema):
    """Whether this call kept the pair; false when the job had one of this number already."""

    kept: bool


@router.post("/worker/hello", response={200: Welcome, 409: Problem})
def hello(request: HttpRequest, body: Hello) -> Welcome:
    """A worker introduces itself."""
    if body.protocol != PROTOCOL:
        raise ConflictError(
            f"this site speaks worker protocol {PROTOCOL}, the worker {body.protocol}; "
            "install the same version of perfsite on both"
        )
    worker = queue.worker_greet(
        name=body.worker, device=body.device, facts=body.facts, token=worker_token(request)
    )
    return Welcome(
        worker_id=worker.pk, heartbeat_s=settings.HEARTBEAT_SECONDS, lease_s=settings.LEASE_SECONDS
    )


@router.post("/worker/claim", response={200: Order, 204: None, 409: Problem})
def claim(request: HttpRequest, body: ClaimRequest) -> Status:
    """The best job this worker may take; 204 when there is none."""
    worker = worker_get(name=body.worker, device=body.device)
    if worker is None:
        raise ConflictError(f"worker {body.worker!r} is unknown on this device; say hello first")
    worker_confine(worker=worker, token=worker_token(request))
    attempt = queue.job_claim(worker=worker)
    return Status(204, None) if attempt is None else Status(200, queue.order_make(attempt=attempt))


@router.post("/attempts/{token}/progress", response={200: ProgressAnswer, 410: Problem})
def progress(request: HttpRequest, token: UUID, body: Progress) -> ProgressAnswer:
    """Heartbeat: how far the attempt is; extends its lease."""
    attempt_confine(attempt_token=token, token=worker_token(request))
    cancel = lease.attempt_progress(token=token, progress=body)
    waits = soak_disturbs(token=token)
    return ProgressAnswer(cancel=cancel, others_wait=waits, lease_s=settings.LEASE_SECONDS)


@router.post("/attempts/{token}/pairs", response={200: Kept, 410: Problem})
def pair(request: HttpRequest, token: UUID, body: Pair) -> dict[str, bool]:
    """One finished pair of a comparison; sent twice it is kept once."""
    attempt_confine(attempt_token=token, token=worker_token(request))
    return {"kept": pair_store(token=token, body=body)}


@router.post("/attempts/{token}/failure", response={200: None, 410: Problem})
def failure(request: HttpRequest, token: UUID, body: Failure) -> None:
    """The attempt failed, and whether another try may help."""
    attempt_confine(attempt_token=token, token=worker_token(request))
    lease.attempt_fail(token=token, failure=body)


@router.post("/attempts/{token}/give-back", response={200: None, 410: Problem})
def give_back(request: HttpRequest, token: UUID) -> None:
    """The worker stops: the job goes back to the queue."""
    attempt_confine(attempt_token=token, token=worker_token(request))
    lease.attempt_give_back(token=token)
