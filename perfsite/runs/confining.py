"""A worker belongs to the token it came with: no other one speaks in its name or for its attempts."""

from __future__ import annotations

from uuid import UUID

from perfsite.access.models import Token
from perfsite.core.errors import ForbiddenError
from perfsite.runs.models import Attempt, Worker


def worker_confine(*, worker: Worker, token: Token) -> None:
    """Refuse a token that is not the worker's; it becomes the worker's where that has no living one.

    Raises:
        ForbiddenError: another living token has the worker; nothing is written.
    """
    if worker.token_id != token.pk and _is_free(worker):
        # of two tokens at once the one that finds the row as it was read
        Worker.objects.filter(pk=worker.pk, token=worker.token).update(token=token)
        worker.refresh_from_db(fields=["token"])
    if worker.token_id != token.pk:
        held = worker.token.name if worker.token else "that was removed just now"
        raise ForbiddenError(
            f"worker {worker.name!r} belongs to token {held!r}, and this is token {token.name!r}; "
            f"give this worker another name with --name, or revoke token {held!r} to hand the worker over"
        )


def attempt_confine(*, attempt_token: UUID, token: Token) -> None:
    """Refuse a token that is not the one of the attempt's worker; an unknown attempt is left to the caller.

    Raises:
        ForbiddenError: as `worker_confine`.
    """
    attempt = Attempt.objects.select_related("worker__token").filter(token=attempt_token).first()
    if attempt is not None:
        worker_confine(worker=attempt.worker, token=token)


def _is_free(worker: Worker) -> bool:
    """Whether no living token has it: it is new, or its token was revoked or ran out."""
    return worker.token is None or worker.token.state != "living"
