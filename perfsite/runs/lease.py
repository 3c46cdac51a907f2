"""The life of an attempt: heartbeats keep its lease, its token fences every write, one end each."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from perfsite.core.errors import SupersededError
from perfsite.core.publish import wake_on_commit
from perfsite.core.tallies import tally_add
from perfsite.core.text import text_clean
from perfsite.core.transition import state_swap
from perfsite.runs.models import Attempt, Job, Pair, Worker
from perfsite.runs.services import run_refresh
from perfsite.runs.states import ATTEMPT_STATES, JOB_STATES
from workers.messages import WAKE_TASK, Failure, Progress, queue_name

LOSSES = ("expired", "restarted")
"""Why an attempt was lost: its lease ran out, or its worker came back without it."""


def attempt_get(*, token: UUID) -> Attempt:
    """The attempt that may still write: it runs, or it was lost and nobody has claimed its job since.

    Call it inside a transaction; the job's row stays locked until its end.

    Raises:
        SupersededError: the token is unknown, its attempt has ended, or another attempt took over.
    """
    locked = Job.objects.select_for_update(of=("self",)).select_related("run")
    job = locked.filter(attempts__token=token).first()
    if job is None:
        raise SupersededError("no attempt has this token")
    # read behind the lock: what another did while this waited for it counts
    attempts = list(Attempt.objects.filter(job=job).select_related("worker").order_by("number"))
    attempt = next(one for one in attempts if one.token == token)
    attempt.job = job
    newest = attempt is attempts[-1]
    alive = attempt.state == "running" and job.state == "running"
    cut_off = attempt.state == "lost" and job.state == "queued" and newest
    if not (alive or cut_off):
        raise SupersededError(
            f"attempt {attempt.number} of job {job.pk} is {attempt.state} and the job is {job.state}"
        )
    return attempt


@transaction.atomic
def attempt_progress(*, token: UUID, progress: Progress) -> bool:
    """Note how far an attempt is and extend its lease; True when it should stop (cancelled).

    Raises:
        SupersededError: as `attempt_get`.
    """
    attempt = attempt_get(token=token)
    now = timezone.now()
    if attempt.state == "lost":  # it was cut off and is back before anyone claimed the job again
        state_swap(attempt.job, to="running", legal=JOB_STATES)
        state_swap(attempt, to="running", legal=ATTEMPT_STATES, ended_at=None, reason="")
    # a claim does not lock a run that runs already: one that just then was queued again is put right here
    if attempt.job.run.state != "running":
        run_refresh(run_id=attempt.job.run_id)
    Attempt.objects.filter(pk=attempt.pk).update(
        heartbeat_at=now, lease_expires_at=now + timedelta(seconds=settings.LEASE_SECONDS)
    )
    shown = text_clean(progress.model_dump(include={"stage", "fraction", "message", "remaining_s"}))
    Job.objects.filter(pk=attempt.job_id).update(progress=shown, log=text_clean(progress.log))
    Worker.objects.filter(pk=attempt.worker_id).update(last_seen=now, telemetry=progress.telemetry)
    return attempt.job.cancel_requested


def attempt_finish(*, attempt: Attempt) -> None:
    """The attempt's report is stored: attempt and job are done.  Call it in the storing transaction."""
    now = timezone.now()
    state_swap(attempt, to="reported", legal=ATTEMPT_STATES, ended_at=now)
    state_swap(
        attempt.job,
        to="done",
        legal=JOB_STATES,
        ended_at=now,
        failure="",
        failure_kind="",
        progress={"stage": "done", "fraction": 1.0},
    )
    run_refresh(run_id=attempt.job.run_id)


@transaction.atomic
def attempt_fail(*, token: UUID, failure: Failure) -> None:
    """The worker could not do the job: try again when that may help, else the job has failed.

    Raises:
        SupersededError: as `attempt_get`.
    """
    attempt = attempt_get(token=token)
    failure = Failure.model_validate(text_clean(failure.model_dump()))
    job = attempt.job
    cancelled = failure.kind == "cancelled" or job.cancel_requested
    state_swap(
        attempt,
        to="cancelled" if cancelled else "failed",
        legal=ATTEMPT_STATES,
        ended_at=timezone.now(),
        reason=f"{failure.kind}: {failure.message}",
        exit_code=failure.exit_code,
    )
    Job.objects.filter(pk=job.pk).update(log=failure.log)
    if cancelled:
        _job_end(job, to="cancelled", kind="cancelled", reason=failure.message)
    elif failure.retry:
        _job_requeue(job, kind=failure.kind, reason=failure.message)
    else:
        _job_end(job, to="failed", kind=failure.kind, reason=failure.message)


@transaction.atomic
def attempt_give_back(*, token: UUID) -> None:
    """The worker stops before the job is done, by its operator's wish: that is no try.

    Raises:
        SupersededError: as `attempt_get`.
    """
    attempt = attempt_get(token=token)
    reason = f"worker {attempt.worker.name} gave it back: stopped, or a soak that lets others go first"
    state_swap(attempt, to="given_back", legal=ATTEMPT_STATES, ended_at=timezone.now(), reason=reason)
    job = attempt.job
    _place_keep(attempt)
    Job.objects.filter(pk=job.pk).update(tries=max(job.tries - 1, 0))
    job.tries = max(job.tries - 1, 0)
    _job_requeue(job, kind="", reason=reason)


@transaction.atomic
def attempt_lose(*, attempt: Attempt, reason: str, expired_at: datetime | None = None) -> bool:
    """The worker is gone or cut off: the job waits for another.  False when another was first.

    With `expired_at` only if the lease had run out by then: a heartbeat may just have renewed it.
    The job is locked before its attempt, as everywhere: two orders would deadlock.
    """
    job = Job.objects.select_for_update().get(pk=attempt.job_id)
    attempt.refresh_from_db(fields=["state", "lease_expires_at"])
    if attempt.state != "running" or (expired_at and attempt.lease_expires_at >= expired_at):
        return False
    state_swap(attempt, to="lost", legal=ATTEMPT_STATES, ended_at=timezone.now(), reason=reason)
    _place_keep(attempt)
    _job_requeue(job, kind="killed", reason=reason)
    tally_add("leases_lost", reason="expired" if expired_at else "restarted")
    return True


def _place_keep(attempt: Attempt) -> None:
    """A soak goes on where its readings are, a comparison where its pairs were run.

    The sweeper lets others take it when that device is gone.
    """
    job = attempt.job
    if job.kind == Job.Kind.SOAK or Pair.objects.filter(job_id=job.pk).exists():
        Job.objects.filter(pk=job.pk, pin="").update(pin=attempt.worker.device_uuid)


def _job_requeue(job: Job, *, kind: str, reason: str) -> None:
    """Queue the job again, or end it: cancelled when that was asked, failed when its tries are spent."""
    if job.cancel_requested:
        _job_end(job, to="cancelled", kind="cancelled", reason="cancelled by request")
        return
    if job.tries >= settings.MAX_ATTEMPTS:
        words = f"{reason}; that was try {job.tries} of {settings.MAX_ATTEMPTS}"
        _job_end(job, to="failed", kind=kind, reason=words)
        return
    if job.state == "queued":  # its lost attempt ended properly after all
        return
    state_swap(job, to="queued", legal=JOB_STATES, failure=reason, failure_kind=kind, progress={})
    run_refresh(run_id=job.run_id)
    wake_on_commit(WAKE_TASK, queue=queue_name(job.device_class))


def _job_end(job: Job, *, to: str, kind: str, reason: str) -> None:
    state_swap(
        job, to=to, legal=JOB_STATES, ended_at=timezone.now(), failure_kind=kind, failure=reason, progress={}
    )
    run_refresh(run_id=job.run_id)
