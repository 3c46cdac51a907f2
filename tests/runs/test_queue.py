"""Who gets which job."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from perfsite.core.errors import PerfsiteError
from perfsite.runs.comparing import compare_order
from perfsite.runs.models import Attempt, Job, Run
from perfsite.runs.queue import job_claim, order_make, worker_greet
from perfsite.runs.sweep import pins_release
from tests.factories import CPU, build_make, case_make, claim, job_make, project_make, worker_make
from workers.messages import Device

pytestmark = pytest.mark.django_db


def test_best_priority_first_then_the_oldest():
    build = build_make(project_make(), 1)
    low, high, high_later = (job_make(build, priority=p, model=f"m{n}") for n, p in enumerate((1, 5, 5)))
    worker = worker_make()
    order = []
    for _ in range(3):
        attempt = claim(worker)
        order.append(attempt.job_id)
        Job.objects.filter(pk=attempt.job_id).update(state="done")
        Attempt.objects.filter(pk=attempt.pk).update(state="reported")
    assert order == [high.pk, high_later.pk, low.pk]
    assert job_claim(worker=worker) is None


def test_class_and_pin_decide():
    build = build_make(project_make(), 1)
    job_make(build, device_class="h100")
    pinned = job_make(build, pin="cpu-2")
    assert job_claim(worker=worker_make("w1")) is None
    other = worker_make("w2", Device(device_class="cpu", name="Another", uuid="cpu-2"))
    assert claim(other).job_id == pinned.pk


def test_claim_makes_an_attempt_with_a_lease():
    job = job_make(build_make(project_make(), 1))
    attempt = claim(worker_make())
    job.refresh_from_db()
    assert (job.state, job.tries, job.run.state) == ("running", 1, "running")
    assert attempt.lease_expires_at > attempt.claimed_at


def test_a_claim_asks_little_of_the_database(django_assert_max_num_queries):
    """Every worker asks, many at once: what a claim costs decides how many a site serves."""
    build = build_make(project_make(), 1)
    for number in range(20):
        job_make(build, model=f"m{number}")
    worker = worker_make()
    with django_assert_max_num_queries(8):  # two of them are the test's own savepoint
        assert job_claim(worker=worker) is not None


def test_a_claim_makes_an_ended_run_run_again():
    job = job_make(build_make(project_make(), 1))
    Run.objects.filter(pk=job.run_id).update(state="failed", ended_at=timezone.now())
    claim(worker_make())
    job.run.refresh_from_db()
    assert (job.run.state, job.run.ended_at) == ("running", None)


def test_worker_that_claims_again_has_lost_what_it_held():
    job = job_make(build_make(project_make(), 1))
    worker = worker_make()
    first = claim(worker)
    second = claim(worker)
    first.refresh_from_db()
    assert first.state == "lost"
    assert (second.job_id, second.number, second.state) == (job.pk, 2, "running")


def test_name_of_a_living_worker_is_refused_on_another_device():
    worker_make("w1")
    with pytest.raises(PerfsiteError, match="give this one another name"):
        worker_greet(name="w1", device=CPU.model_copy(update={"uuid": "cpu-9"}), facts={})


def test_order_of_a_comparison_has_the_good_build_first():
    project = project_make()
    good, suspect = build_make(project, 1), build_make(project, 2)
    case = case_make()
    job_make(suspect, case, state="done")
    compare_order(
        base=good, build=suspect, device_class="cpu", pin="", model="cnn", precision="fp32",
        watch=[(case, "latency_p50"), (case, "latency_p99")],
    )  # fmt: skip
    order = order_make(attempt=claim(worker_make()))
    assert order.kind == "compare"
    assert [build.sha for build in order.builds] == [good.sha, suspect.sha]
    assert order.watch == ((0, "latency_p50"), (0, "latency_p99"))
    assert order.cases == (case,)


def test_comparison_of_what_was_never_measured_is_refused():
    project = project_make()
    good, suspect = build_make(project, 1), build_make(project, 2)
    with pytest.raises(PerfsiteError, match="never measured"):
        compare_order(
            base=good, build=suspect, device_class="cpu", pin="", model="cnn", precision="fp32",
            watch=[(case_make(), "latency_p50")],
        )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_many_claimers_never_share_a_job():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite's test database is private to one connection; e2e covers its file")
    build = build_make(project_make(), 1)
    for number in range(20):
        job_make(build, model=f"m{number}")
    workers = [worker_make(f"w{n}", Device(device_class="cpu", name="p", uuid=f"cpu-{n}")) for n in range(8)]
    taken: list[int] = []

    def work(worker):
        try:
            while (attempt := job_claim(worker=worker)) is not None:
                taken.append(attempt.job_id)
                Attempt.objects.filter(pk=attempt.pk).update(state="reported")
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(Job.objects.values_list("pk", flat=True))


def test_pin_to_a_device_that_is_gone_is_released():
    build = build_make(project_make(), 1)
    hour_ago = timezone.now() - timedelta(hours=1)
    stuck = job_make(build, pin="cpu-gone", created_at=hour_ago)
    waits = job_make(build, model="other", pin=CPU.uuid, created_at=hour_ago)
    worker_make()
    assert pins_release() == 1
    assert list(Job.objects.order_by("pk").values_list("pin", flat=True)) == ["", CPU.uuid]
    assert {stuck.pk, waits.pk} == set(Job.objects.values_list("pk", flat=True))
