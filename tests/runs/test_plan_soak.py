"""Soaks become jobs of their own, behind everything, and nothing but a person ends them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from perfsite.access.services import token_add
from perfsite.runs import lease
from perfsite.runs.commits import Commit
from perfsite.runs.config import config_parse
from perfsite.runs.models import Job
from perfsite.runs.orders import job_row
from perfsite.runs.queue import order_make
from perfsite.runs.selectors import soak_disturbs
from perfsite.runs.services import (
    PRIORITY_BEHIND,
    PRIORITY_COMPARE,
    PRIORITY_HEAD,
    PRIORITY_SOAK,
    builds_receive,
    job_cancel,
)
from perfsite.runs.sweep import priorities_age
from tests.factories import build_make, case_make, claim, job_make, project_make, worker_make

pytestmark = pytest.mark.django_db

SOAKED = b"""
[defaults]
runners = ["torch", "onnxruntime"]
[models.cnn]
catalogue = "tiny-cnn"
suites = ["latency", "soak"]
duration = 3600.0
"""


def soak_make(build, **spec) -> Job:
    job = job_make(
        build, case_make(suite="soak", duration_s=3600), kind=Job.Kind.SOAK, priority=PRIORITY_SOAK
    )
    job.spec = {**job.spec, **spec}
    job.save()
    return job


def planned(text: bytes) -> list[Job]:
    build = build_make(project_make(), 1)
    config = config_parse(text)
    run = job_make(build).run
    return [job_row(run=run, group=group, config=config, priority=PRIORITY_HEAD) for group in config.groups()]


def test_each_soak_is_a_job_and_the_others_stay_together():
    together, *soaks = planned(SOAKED)
    assert together.kind == Job.Kind.MEASURE
    assert {case["suite"] for case in together.spec["cases"]} == {"latency"}
    assert [job.kind for job in soaks] == [Job.Kind.SOAK] * 2
    assert [[case["runner"] for case in job.spec["cases"]] for job in soaks] == [["torch"], ["onnxruntime"]]


def test_a_model_that_is_only_soaked_has_no_other_job():
    only = SOAKED.replace(b'["latency", "soak"]', b'["soak"]')
    assert {job.kind for job in planned(only)} == {Job.Kind.SOAK}


def test_soaks_are_behind_everything_and_do_not_age():
    assert min(PRIORITY_BEHIND, PRIORITY_HEAD, PRIORITY_COMPARE) > PRIORITY_SOAK
    together, soak, _ = planned(SOAKED)
    assert (together.priority, soak.priority) == (PRIORITY_HEAD, PRIORITY_SOAK)
    waiting = soak_make(build_make(project_make(), 1))
    Job.objects.update(created_at=timezone.now() - timedelta(hours=5))
    priorities_age()
    waiting.refresh_from_db()
    assert waiting.priority == PRIORITY_SOAK


@pytest.mark.parametrize(("limit", "least"), [(900, 1.2 * 3600 + 300), (43200, 43200)])
def test_the_limit_follows_the_duration_and_the_project_may_give_more(limit, least):
    text = SOAKED + f"[limits]\nwall_clock = {limit}\n".encode()
    together, soak, _ = planned(text)
    assert together.spec["limits"]["wall_clock_s"] == limit
    assert soak.spec["limits"]["wall_clock_s"] >= least


def test_the_worker_is_told_to_soak():
    soak_make(build_make(project_make(), 1))
    order = order_make(attempt=claim(worker_make()))
    assert order.kind == "soak"
    assert [case.suite for case in order.cases] == ["soak"]


def test_a_push_does_not_end_a_running_soak():
    project = project_make()
    soak = soak_make(build_make(project, 1))
    attempt = claim(worker_make())
    builds_receive(project=project, branch="main", commits=[Commit(sha="e" * 40)], head="e" * 40)
    job_make(build_make(project, 2), priority=PRIORITY_HEAD)
    assert not soak_disturbs(token=attempt.token)
    soak.refresh_from_db()
    assert (soak.state, soak.cancel_requested) == ("running", False)


def test_a_soak_that_may_yield_hears_of_jobs_that_wait_for_its_device():
    build = build_make(project_make(), 1)
    soak_make(build, yields=True)
    attempt = claim(worker_make())
    soak_make(build_make(project_make(), 1), yields=True)
    assert not soak_disturbs(token=attempt.token), "another soak is no reason"
    job_make(build, device_class="h100")
    pinned = job_make(build, pin="cpu-2")
    assert not soak_disturbs(token=attempt.token), "nobody waits for this device"
    Job.objects.filter(pk=pinned.pk).update(pin="cpu-1")
    assert soak_disturbs(token=attempt.token)


def test_the_project_says_whether_soaks_yield():
    assert [job.spec["yields"] for job in planned(SOAKED)[1:]] == [False, False]
    assert [job.spec["yields"] for job in planned(b"soak_yields = true\n" + SOAKED)[1:]] == [True, True]


def test_a_heartbeat_tells_the_worker(client):
    build = build_make(project_make(), 1)
    soak_make(build, yields=True)
    attempt = claim(worker_make())
    job_make(build)
    answer = client.post(
        f"/api/v1/attempts/{attempt.token}/progress",
        data='{"stage": "soak", "fraction": 0.5}',
        content_type="application/json",
        headers={"Authorization": f"Bearer {token_add(name='worker', purpose='worker')}"},
    )
    assert answer.json() == {"cancel": False, "others_wait": True, "lease_s": 60.0}


def test_a_soak_given_back_waits_for_the_device_that_has_its_readings():
    soak = soak_make(build_make(project_make(), 1))
    lease.attempt_give_back(token=claim(worker_make()).token)
    soak.refresh_from_db()
    assert (soak.state, soak.pin, soak.tries) == ("queued", "cpu-1", 0)
    measure = job_make(soak.run.build)
    lease.attempt_give_back(token=claim(worker_make()).token)
    measure.refresh_from_db()
    assert measure.pin == ""


def test_a_person_ends_a_soak():
    soak = soak_make(build_make(project_make(), 1))
    claim(worker_make())
    job_cancel(job=soak)
    soak.refresh_from_db()
    assert soak.cancel_requested
