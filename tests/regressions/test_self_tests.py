"""A build is compared with itself every night; what that tells is kept and accuses nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from perfsite.regressions.bisection.due import build_is_settled
from perfsite.regressions.grading.self_tests import (
    NIGHTS,
    PURPOSE,
    night_start,
    self_tests_order,
    self_tests_settle,
)
from perfsite.regressions.models import Incident, SelfTest, Suspicion, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.regressions.tasks import grade
from perfsite.runs.models import Job, Project, Worker
from perfsite.runs.queue import job_claim
from perfsite.runs.selectors import soak_disturbs
from perfsite.runs.sweep import priorities_age
from tests.factories import case_make, job_make
from tests.regressions.builders import (
    QUIET,
    build_make,
    compare_report,
    history_make,
    job_attempt,
    values_report,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def measured(project):
    """A project of yesterday with eight quiet builds, screened."""
    builds = history_make(project, QUIET)
    reports_screen()
    Project.objects.update(created_at=timezone.now() - timedelta(days=2))
    return builds


def jobs_ordered():
    return Job.objects.filter(spec__purpose=PURPOSE).order_by("id")


def night_pass(jobs) -> None:
    """The jobs were ordered in an earlier night."""
    jobs.update(created_at=timezone.now() - timedelta(days=1, hours=1))


def test_the_newest_build_is_compared_with_itself_behind_everything_else(measured):
    assert self_tests_order() == 1
    job = jobs_ordered().get()
    assert job.run.build == measured[-1]
    assert job.spec["base"] == measured[-1].pk
    assert job.spec["watch"] == [[0, "latency_p50"]]
    assert job.priority < 0
    other = job_make(measured[0], kind="soak")
    claimed = job_claim(worker=Worker.objects.get())
    assert claimed.job == other


@pytest.mark.parametrize(("pattern", "step"), [("cnn/torch/*/*", 0.2), ("bert/**", 0.03)])
def test_the_step_in_question_is_the_smallest_told_of_the_case(project, measured, pattern, step):
    table = {f"{pattern}:latency_p50": 0.2}
    project.rule_changes.create(parameters={"relevant": table})
    self_tests_order()
    spec = jobs_ordered().get().spec
    assert (spec["relevant"], spec["suspected"][0]["relative"]) == (table, step)


def test_a_night_has_its_self_tests_once_however_often_it_is_asked(measured):
    assert self_tests_order() == 1
    assert self_tests_order() == 0
    compare_report(jobs_ordered().get(), {"latency_p50": 1.0})
    grade()
    grade()
    assert jobs_ordered().count() == 1
    night_pass(jobs_ordered())
    assert self_tests_order() == 1


def test_what_waits_from_an_earlier_night_is_enough(measured):
    self_tests_order()
    night_pass(jobs_ordered())
    assert self_tests_order() == 0


def test_a_projects_first_night_comes_after_its_first_day(measured):
    Project.objects.update(created_at=timezone.now())
    assert self_tests_order() == 0


def test_no_self_test_where_no_worker_was_seen_lately(measured):
    Worker.objects.update(last_seen=timezone.now() - timedelta(hours=1))
    assert self_tests_order() == 0


def test_the_night_begins_at_two_and_lasts_until_the_next():
    morning = datetime(2026, 3, 5, 1, 59, tzinfo=UTC)
    assert night_start(morning) == datetime(2026, 3, 4, 2, 0, tzinfo=UTC)
    assert night_start(morning + timedelta(minutes=1)) == datetime(2026, 3, 5, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(("minutes", "ordered"), [(0, 0), (30, 0), (60, 1)])
def test_self_tests_take_what_confirmations_left_of_the_day(measured, minutes, ordered):
    measure = Job.objects.filter(kind="measure").order_by("-id").first()
    Job.objects.filter(pk=measure.pk).update(
        spec={**measure.spec, "confirmation": {"minutes_per_day": minutes}}
    )
    noon = timezone.now().replace(hour=12)
    attempt = job_attempt(job_make(measured[-1], kind="compare"))
    type(attempt).objects.filter(pk=attempt.pk).update(
        claimed_at=noon - timedelta(minutes=31), ended_at=noon, state="reported"
    )
    Worker.objects.update(last_seen=noon)
    assert self_tests_order(now=noon) == ordered


def test_within_a_week_every_case_has_its_turn(project):
    cases = [case_make(batch=batch) for batch in range(1, 11)]
    values_report(job_make(build_make(project, 1), *cases), {"latency_p50": 1.0})
    Project.objects.update(created_at=timezone.now() - timedelta(days=2))
    tested = []
    for _ in range(NIGHTS):
        self_tests_order()
        job = jobs_ordered().last()
        tested += [case["batch"] for case in job.spec["cases"]]
        compare_report(job, {"latency_p50": 1.0})
        Job.objects.filter(pk=job.pk).update(ended_at=timezone.now())
        for one in jobs_ordered():
            Job.objects.filter(pk=one.pk).update(created_at=one.created_at - timedelta(days=1, hours=1))
    assert set(tested) == set(range(1, 11))
    assert len(tested) <= 2 * NIGHTS


def test_what_it_tells_is_kept_once_and_accuses_nobody(measured):
    self_tests_order()
    job = jobs_ordered().get()
    compare_report(job, {"latency_p50": 1.2}, besides={"latency_p90": 1.0})
    assert self_tests_settle() == 2
    assert self_tests_settle() == 0
    reports_screen()
    told = SelfTest.objects.get(metric="latency_p50")
    assert (told.verdict, told.pairs, told.device_class) == ("regressed", 8, "cpu")
    assert told.series.metric == "latency_p50"
    assert SelfTest.objects.get(metric="latency_p90").series is None
    assert not Incident.objects.exists()
    assert not Verdict.objects.filter(job=job).exists()


def test_a_self_test_answers_no_suspicion(measured, project):
    builds = [*measured, *history_make(project, [1.2], first=9)]
    self_tests_order()
    compare_report(jobs_ordered().get(), {"latency_p50": 1.0})
    reports_screen()
    suspicion = Suspicion.objects.get(build=builds[-1])
    assert suspicion.state == "open"
    assert suspicion.job.spec["base"] == builds[-2].pk


def test_nobody_waits_for_a_self_test(measured):
    assert build_is_settled(build=measured[-1])
    self_tests_order()
    assert build_is_settled(build=measured[-1])
    jobs_ordered().update(created_at=timezone.now() - timedelta(hours=1))
    priorities_age()
    assert jobs_ordered().get().priority < 0


def test_a_soak_does_not_yield_to_a_self_test(measured):
    soak = job_make(measured[0], kind="soak")
    Job.objects.filter(pk=soak.pk).update(spec={**soak.spec, "yields": True})
    attempt = job_claim(worker=Worker.objects.get())
    self_tests_order()
    assert not soak_disturbs(token=attempt.token)
    job_make(measured[0])
    assert soak_disturbs(token=attempt.token)
