"""The API of workers: introduce, claim, progress, pairs, failure, give back."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Schema, Status

from perfsite.access.auth import WorkerToken
from perfsite.core.errors import PerfsiteError, SupersededError
from perfsite.runs import lease, queue
from perfsite.runs.pairs import PairMismatchError, pair_store
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

router = Router(auth=WorkerToken(), tags=["worker"])


class Problem(Schema):
    """What went wrong, in a sentence."""

    detail: str


class Kept(Schema):
    """Whether this call kept the pair; false when the job had one of this number already."""

    kept: bool


@router.post("/worker/hello", response={200: Welcome, 409: Problem})
def hello(request: HttpRequest, body: Hello) -> Status:
    """A worker introduces itself."""
    if body.protocol != PROTOCOL:
        sentence = (
            f"this site speaks worker protocol {PROTOCOL}, the worker {body.protocol}; "
            "install the same version of perfsite on both"
        )
        return Status(409, {"detail": sentence})
    try:
        worker = queue.worker_greet(name=body.worker, device=body.device, facts=body.facts)
    except PerfsiteError as error:
        return Status(409, {"detail": str(error)})
    welcome = Welcome(
        worker_id=worker.pk, heartbeat_s=settings.HEARTBEAT_SECONDS, lease_s=settings.LEASE_SECONDS
    )
    return Status(200, welcome)


@router.post("/worker/claim", response={200: Order, 204: None, 409: Problem})
def claim(request: HttpRequest, body: ClaimRequest) -> Status:
    """The best job this worker may take; 204 when there is none."""
    worker = worker_get(name=body.worker, device=body.device)
    if worker is None:
        return Status(409, {"detail": f"worker {body.worker!r} is unknown on this device; say hello first"})
    attempt = queue.job_claim(worker=worker)
    return Status(204, None) if attempt is None else Status(200, queue.order_make(attempt=attempt))


@router.post("/attempts/{token}/progress", response={200: ProgressAnswer, 410: Problem})
def progress(request: HttpRequest, token: UUID, body: Progress) -> Status:
    """Heartbeat: how far the attempt is; extends its lease."""
    try:
        cancel = lease.attempt_progress(token=token, progress=body)
    except SupersededError as error:
        return Status(410, {"detail": str(error)})
    waits = soak_disturbs(token=token)
    return Status(200, ProgressAnswer(cancel=cancel, others_wait=waits, lease_s=settings.LEASE_SECONDS))


@router.post("/attempts/{token}/pairs", response={200: Kept, 410: Problem, 422: Problem})
def pair(request: HttpRequest, token: UUID, body: Pair) -> Status:
    """One finished pair of a comparison; sent twice it is kept once."""
    try:
        kept = pair_store(token=token, body=body)
    except SupersededError as error:
        return Status(410, {"detail": str(error)})
    except PairMismatchError as error:
        return Status(422, {"detail": str(error)})
    return Status(200, {"kept": kept})


@router.post("/attempts/{token}/failure", response={200: None, 410: Problem})
def failure(request: HttpRequest, token: UUID, body: Failure) -> Status:
    """The attempt failed, and whether another try may help."""
    try:
        lease.attempt_fail(token=token, failure=body)
    except SupersededError as error:
        return Status(410, {"detail": str(error)})
    return Status(200, None)


@router.post("/attempts/{token}/give-back", response={200: None, 410: Problem})
def give_back(request: HttpRequest, token: UUID) -> Status:
    """The worker stops: the job goes back to the queue."""
    try:
        lease.attempt_give_back(token=token)
    except SupersededError as error:
        return Status(410, {"detail": str(error)})
    return Status(200, None)
