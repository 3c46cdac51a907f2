"""Pairs of a comparison on the site: kept once, fenced, given to the next attempt on the same device."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from benchmarks.sequential import Suspected
from perfsite.access.services import token_add
from perfsite.core.errors import PerfsiteError
from perfsite.runs import lease
from perfsite.runs.comparing import compare_order, profile_order
from perfsite.runs.models import Attempt, Job, Pair
from perfsite.runs.pairs import digests_compare, pairs_disturbed, pairs_of
from perfsite.runs.queue import order_make
from perfsite.runs.services import PRIORITY_HEAD
from perfsite.runs.sweep import leases_expire, pins_release, priorities_age
from tests.factories import CPU, build_make, case_make, claim, job_make, project_make, worker_make
from workers.messages import Device, Failure
from workers.messages import Pair as Body

pytestmark = pytest.mark.django_db
CASE = case_make()
OTHER_CPU = Device(device_class="cpu", name="Another", uuid="cpu-2")


def pair(number: int, *, index: int = 0, **digests) -> Body:
    return Body(number=number, values=[(index, "latency_p50", 1.0, 1.25)], **digests)


@pytest.fixture
def job() -> Job:
    project = project_make()
    base, build = build_make(project, 1), build_make(project, 2)
    measured = job_make(build, CASE, state="done")
    measured.spec["limits"] = {"wall_clock_s": 77.0, "resident_bytes": 2**30}
    measured.save()
    return ordered(base, build)


def ordered(base, build, **more) -> Job:
    where = {"device_class": "cpu", "model": "cnn", "precision": "fp32"}
    fields = {"base": base, "build": build, "pin": "", "watch": [(CASE, "latency_p50")], **where}
    return compare_order(**(fields | more))


@pytest.fixture
def send(client):
    secret = token_add(name="worker", purpose="worker")

    def send(attempt: Attempt, body: Body | dict, purpose: str = secret):
        data = body.model_dump_json() if isinstance(body, Body) else json.dumps(body)
        return client.post(
            f"/api/v1/attempts/{attempt.token}/pairs",
            data=data,
            content_type="application/json",
            headers={"Authorization": f"Bearer {purpose}"},
        )

    return send


def test_a_pair_sent_twice_is_kept_once_as_it_was_first(job, send):
    attempt = claim(worker_make())
    digests = {"onnx_sha256": ("a" * 64, "a" * 64), "engine_sha256": ("b" * 64, None)}
    assert send(attempt, pair(0, **digests)).json() == {"kept": True}
    assert send(attempt, pair(0)).json() == {"kept": False}
    assert Pair.objects.get().device_uuid == CPU.uuid
    assert pairs_of(job=job) == (pair(0, **digests),)


def test_a_disturbed_pair_is_kept_and_given_to_the_next_attempt_as_it_was_told(job, send):
    first = claim(worker_make())
    body = pair(0, disturbed=[(0, "the GPU was held back by heat")])
    assert send(first, body).json() == {"kept": True}
    assert send(first, pair(0)).json() == {"kept": False}
    assert send(first, pair(1, disturbed=[(1, "of no case")])).status_code == 422
    send(first, pair(1))
    lease.attempt_give_back(token=first.token)
    assert order_make(attempt=claim(worker_make())).pairs == (body, pair(1))
    assert pairs_disturbed(pairs_of(job=job), index=0) == {0: "the GPU was held back by heat"}
    assert pairs_disturbed(pairs_of(job=job), index=1) == {}


def test_a_superseded_token_writes_no_pair(job, send):
    first = claim(worker_make())
    send(first, pair(0))
    second = claim(worker_make())
    assert second.number == 2
    assert send(first, pair(1)).status_code == 410
    assert send(second, pair(1)).json() == {"kept": True}
    lease.attempt_fail(token=second.token, failure=Failure(kind="model", message="no"))
    assert send(second, pair(2)).status_code == 410
    assert [row.number for row in pairs_of(job=job)] == [0, 1]


def test_what_is_no_pair_of_the_job_is_refused(job, send):
    attempt = claim(worker_make())
    assert send(attempt, pair(0, index=1)).status_code == 422
    assert send(attempt, {"number": -1, "values": []}).status_code == 422
    assert send(attempt, {"number": 0, "values": [[0, "latency_p50", None, 1.0]]}).status_code == 422
    assert send(attempt, pair(0), purpose=token_add(name="r", purpose="read")).status_code == 403
    measure = job_make(build_make(project_make(), 1), CASE, priority=99)
    attempt = claim(worker_make("w2"))
    assert attempt.job == measure
    assert send(attempt, pair(0)).status_code == 422
    assert not Pair.objects.exists()


def test_the_next_attempt_on_the_device_is_given_the_pairs(job, send):
    assert order_make(attempt=claim(worker_make())).pairs == ()
    first = claim(worker_make())
    for number in (1, 0):
        send(first, pair(number))
    Attempt.objects.update(lease_expires_at=timezone.now() - timedelta(hours=1))
    assert leases_expire() == 1
    order = order_make(attempt=claim(worker_make()))
    assert order.pairs == (pair(0), pair(1))
    assert (order.attempt, order.max_pairs, order.limits.wall_clock_s) == (3, 20, 77.0)


def test_a_comparison_that_was_cut_off_stays_on_its_device_until_that_is_gone(job, send):
    first = claim(worker_make())
    send(first, pair(0))
    lease.attempt_give_back(token=first.token)
    job.refresh_from_db()
    assert job.pin == CPU.uuid
    other = worker_make("w2", OTHER_CPU)
    assert Pair.objects.count() == 1
    Job.objects.update(created_at=timezone.now() - timedelta(hours=1))
    first.worker.last_seen = timezone.now() - timedelta(hours=1)
    first.worker.save()
    assert pins_release() == 1
    order = order_make(attempt=claim(other))
    assert order.pairs == ()
    assert not Pair.objects.exists()


def test_a_comparison_without_a_pair_yet_may_go_on_anywhere(job):
    lease.attempt_give_back(token=claim(worker_make()).token)
    job.refresh_from_db()
    assert job.pin == ""


def test_digests_are_equal_when_they_were_in_every_pair():
    same, other = ("a" * 64, "a" * 64), ("a" * 64, "b" * 64)
    told = digests_compare([pair(0, onnx_sha256=same, engine_sha256=same)] * 2)
    assert told == {"onnx_equal": True, "engine_equal": True}
    rows = [pair(0, onnx_sha256=same, engine_sha256=same), pair(1, onnx_sha256=same, engine_sha256=other)]
    assert digests_compare(rows) == {"onnx_equal": True, "engine_equal": False}
    assert digests_compare([pair(0)]) == {"onnx_equal": None, "engine_equal": None}


def test_a_confirmation_goes_before_everything_that_is_measured(job):
    for priority in (PRIORITY_HEAD, PRIORITY_HEAD - 10):
        job_make(build_make(project_make(), 1), CASE, priority=priority)
    Job.objects.update(created_at=timezone.now() - timedelta(hours=1))
    priorities_age()
    assert claim(worker_make()).job == job


def test_another_measure_job_tells_how_to_compare_a_build_that_was_never_measured(job):
    project = job.run.build.project
    middle, like = build_make(project, 3), Job.objects.get(kind="measure")
    step = Suspected(1.0, 1.2, 0.2, 4.0)
    rule = {"max_pairs": 5, "alpha": 0.02, "relevant": {"latency_p50": 0.1}, "suspected": [step]}
    asked = ordered(job.run.build, middle, like=like, purpose="bisection", **rule)
    Job.objects.exclude(pk=asked.pk).update(state="done")
    order = order_make(attempt=claim(worker_make()))
    assert order.source == order.source.model_validate(like.spec["source"])
    assert (order.max_pairs, order.alpha, order.relevant) == (5, 0.02, {"latency_p50": 0.1})
    assert order.suspected == (step,)
    with pytest.raises(PerfsiteError, match="is no measure job of bert/fp32 on cpu"):
        ordered(job.run.build, middle, like=like, model="bert")
    with pytest.raises(PerfsiteError, match="never measured"):
        ordered(job.run.build, middle)
    with pytest.raises(PerfsiteError, match="watches nothing"):
        ordered(job.run.build, middle, like=like, watch=[])


def test_the_worker_is_told_what_holds_for_each_case_without_patterns(job):
    other = case_make(runner="onnxruntime")
    table = {"latency_p50": 0.05, "cnn/torch/*/*:latency_p50": 0.1, "cnn/**:model_size": 0.2}
    watch = [(CASE, "latency_p50"), (other, "latency_p50")]
    asked = ordered(build_make(job.run.build.project, 3), job.run.build, watch=watch, relevant=table)
    assert asked.spec["relevant"] == table
    Job.objects.exclude(pk=asked.pk).update(state="done")
    order = order_make(attempt=claim(worker_make()))
    assert order.relevant == {"latency_p50": 0.05, "model_size": 0.2}
    assert order.case_relevant == ({"latency_p50": 0.1}, {})


def test_a_build_can_be_compared_with_itself(job):
    Job.objects.filter(pk=job.pk).update(state="done")
    build = job.run.build
    ordered(build, build, purpose="self-test", priority=-10)
    order = order_make(attempt=claim(worker_make()))
    assert [one.sha for one in order.builds] == [build.sha, build.sha]
    assert order.suspected == ()


def test_a_profile_is_of_both_builds_and_their_cases(job):
    Job.objects.filter(pk=job.pk).update(state="done")
    base = build_make(job.run.build.project, 3)
    where = {"device_class": "cpu", "model": "cnn", "precision": "fp32", "pin": ""}
    profile_order(base=base, build=job.run.build, cases=[CASE], **where)
    order = order_make(attempt=claim(worker_make()))
    assert (order.kind, order.cases, len(order.builds)) == ("profile", (CASE,), 2)
    assert order.builds[0].sha == base.sha
    with pytest.raises(PerfsiteError, match="needs a case"):
        profile_order(base=base, build=job.run.build, cases=[], **where)
