"""An attempt's life: heartbeat, failure, loss, return, cancel; each job ends once."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from perfsite.core.errors import SupersededError
from perfsite.runs import lease
from perfsite.runs.models import Attempt, Job, Run, SiteStart
from perfsite.runs.services import PRIORITY_BEHIND, PRIORITY_HEAD, job_again, job_cancel
from perfsite.runs.sweep import leases_expire, priorities_age, site_started
from tests.factories import build_make, claim, job_make, project_make, worker_make
from workers.messages import Failure, Progress

pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> Job:
    return job_make(build_make(project_make(), 1))


def expire(attempt: Attempt) -> None:
    past = timezone.now() - timedelta(hours=1)
    Attempt.objects.filter(pk=attempt.pk).update(lease_expires_at=past, heartbeat_at=past)


def test_heartbeat_shows_progress_and_extends_the_lease(job):
    attempt = claim(worker_make())
    expire(attempt)
    cancel = lease.attempt_progress(token=attempt.token, progress=Progress(stage="export", fraction=0.25))
    attempt.refresh_from_db()
    job.refresh_from_db()
    assert not cancel
    assert job.progress["stage"] == "export"
    assert attempt.lease_expires_at > timezone.now()
    assert leases_expire() == 0


def test_heartbeat_puts_a_run_right_that_missed_its_claim(job):
    """A claim while another of the run's jobs was given back: each looked before the other was stored."""
    attempt = claim(worker_make())
    Run.objects.update(state="queued")
    lease.attempt_progress(token=attempt.token, progress=Progress(stage="export", fraction=0.25))
    assert Run.objects.get().state == "running"


def test_unknown_token_writes_nothing():
    with pytest.raises(SupersededError, match="no attempt"):
        lease.attempt_progress(token=uuid.uuid4(), progress=Progress(stage="x", fraction=0))


def test_silent_worker_loses_the_job_and_its_token(job):
    first = claim(worker_make("w1"))
    expire(first)
    assert leases_expire() == 1
    job.refresh_from_db()
    assert (job.state, job.run.state) == ("queued", "queued")
    second = claim(worker_make("w2"))
    with pytest.raises(SupersededError, match="attempt 1"):
        lease.attempt_progress(token=first.token, progress=Progress(stage="x", fraction=0))
    assert second.number == 2


def test_worker_that_was_only_cut_off_goes_on(job):
    attempt = claim(worker_make())
    expire(attempt)
    leases_expire()
    lease.attempt_progress(token=attempt.token, progress=Progress(stage="measure", fraction=0.5))
    job.refresh_from_db()
    attempt.refresh_from_db()
    assert (job.state, attempt.state) == ("running", "running")


def test_leases_do_not_expire_while_the_site_is_young(job):
    expire(claim(worker_make()))
    site_started()
    assert leases_expire() == 0
    SiteStart.objects.update(started_at=timezone.now() - timedelta(hours=1))
    assert leases_expire() == 1


def test_third_loss_fails_the_job_with_its_reason(job):
    worker = worker_make()
    for _ in range(3):
        expire(claim(worker))
        leases_expire()
    job.refresh_from_db()
    assert (job.state, job.failure_kind) == ("failed", "killed")
    assert "try 3 of 3" in job.failure


def test_failure_of_the_watched_code_is_not_tried_again(job):
    attempt = claim(worker_make())
    failure = Failure(kind="model", message="ValueError: no weights", log="the log", exit_code=1)
    lease.attempt_fail(token=attempt.token, failure=failure)
    job.refresh_from_db()
    attempt.refresh_from_db()
    assert (job.state, job.failure_kind, job.failure, job.log) == (
        "failed", "model", "ValueError: no weights", "the log",
    )  # fmt: skip
    assert (attempt.state, attempt.exit_code, job.run.state) == ("failed", 1, "failed")


def test_failure_of_the_machine_is_tried_again(job):
    attempt = claim(worker_make())
    lease.attempt_fail(
        token=attempt.token, failure=Failure(kind="environment", message="no driver", retry=True)
    )
    job.refresh_from_db()
    assert (job.state, job.tries) == ("queued", 1)


def test_given_back_counts_as_no_try(job):
    attempt = claim(worker_make())
    lease.attempt_give_back(token=attempt.token)
    job.refresh_from_db()
    assert (job.state, job.tries) == ("queued", 0)
    assert claim(worker_make()).number == 2


def test_cancel_of_a_waiting_job_is_at_once_and_it_can_run_again(job):
    job_cancel(job=job)
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert job_again(job=job)
    assert claim(worker_make()).job_id == job.pk


def test_cancel_of_a_running_job_goes_through_its_worker(job):
    attempt = claim(worker_make())
    job.refresh_from_db()
    job_cancel(job=job)
    assert lease.attempt_progress(token=attempt.token, progress=Progress(stage="x", fraction=0))
    lease.attempt_fail(token=attempt.token, failure=Failure(kind="cancelled", message="stopped"))
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_cancelled_job_of_a_dead_worker_is_not_queued_again(job):
    attempt = claim(worker_make())
    job.refresh_from_db()
    job_cancel(job=job)
    expire(attempt)
    leases_expire()
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_done_is_for_ever(job):
    attempt = claim(worker_make())
    lease.attempt_finish(attempt=lease.attempt_get(token=attempt.token))
    job.refresh_from_db()
    assert (job.state, job.run.state) == ("done", "done")
    assert not job_again(job=job)
    with pytest.raises(SupersededError, match="reported"):
        lease.attempt_fail(token=attempt.token, failure=Failure(kind="model", message="late"))


def test_lease_renewed_meanwhile_is_not_expired(job):
    attempt = claim(worker_make())
    assert not lease.attempt_lose(attempt=attempt, reason="silent", expired_at=timezone.now())
    assert lease.attempt_lose(attempt=attempt, reason="gone")


def test_cancel_decides_on_the_state_of_now(job):
    seen = Job.objects.get(pk=job.pk)
    attempt = claim(worker_make())
    seen.refresh_from_db()
    lease.attempt_give_back(token=attempt.token)  # queued again, and the canceller saw it running
    job_cancel(job=seen)
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_text_no_database_can_hold_is_stored_without_it(job):
    attempt = claim(worker_make())
    failure = Failure(kind="model", message="zero \0 here", log="\0log")
    lease.attempt_fail(token=attempt.token, failure=failure)
    job.refresh_from_db()
    assert (job.failure, job.log) == ("zero  here", "log")


def test_commits_behind_a_head_do_not_wait_for_ever(job):
    Job.objects.update(priority=PRIORITY_BEHIND, created_at=timezone.now() - timedelta(hours=1))
    assert priorities_age() == 1
    job.refresh_from_db()
    assert job.priority == PRIORITY_HEAD
