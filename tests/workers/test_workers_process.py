"""Real worker processes with a real broker: wake-ups, signals, kills and refusals."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

import psutil
import pytest
from celery import Celery
from site_standin import PATIENCE_S, TOKEN, StandIn, Told, alive, wait_until
from watched_repository import Repository

from workers.messages import WAKE_PREFIX, WAKE_TASK, queue_name

Worker = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def wake(broker: str) -> Callable[[], None]:
    """Publishes a wake-up the way the site does."""
    app = Celery("site", broker=broker, set_as_current=False)
    app.conf.update(task_ignore_result=True, broker_transport_options={"global_keyprefix": WAKE_PREFIX})

    def wake() -> None:
        app.send_task(WAKE_TASK, queue=queue_name("cpu"), retry=False, kwargs={"newer": "field"})

    return wake


def ready(process: subprocess.Popen[str]) -> str:
    """Wait for the line that tells the supervisor the worker is there."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("ready "), f"{line}{process.stderr.read() if process.stderr else ''}"
    return line


def test_a_wakeup_leads_to_a_claim_and_the_result_home(
    site: StandIn, worker: Worker, broker: str, wake: Callable[[], None], repository: Repository
) -> None:
    process = worker("--poll", "600", REDIS_URL=broker)
    assert "queue gpu.cpu" in ready(process)
    wait_until(lambda: site.claims)  # its own look at the start
    told = site.give(repository.order())
    time.sleep(0.3)
    assert not told.progress
    wake()
    wait_until(lambda: told.progress)
    wait_until(lambda: told.report)
    process.terminate()
    assert process.wait(PATIENCE_S) == 0


def test_a_doubled_wakeup_claims_nothing_twice(
    site: StandIn, worker: Worker, broker: str, wake: Callable[[], None], repository: Repository
) -> None:
    ready(worker("--poll", "600", REDIS_URL=broker))
    told = [site.give(repository.order()) for _ in range(2)]
    for _ in range(5):
        wake()
    wait_until(lambda: all(one.report for one in told))
    time.sleep(0.3)
    assert [one.reports for one in told] == [1, 1]


def test_a_worker_without_any_broker_still_works(
    site: StandIn, worker: Worker, repository: Repository
) -> None:
    process = worker("--poll", "0.2", "--broker", "redis://127.0.0.1:9/0")
    told = site.give(repository.order())
    wait_until(lambda: told.report)
    process.terminate()
    assert process.wait(PATIENCE_S) == 0


def running_job(site: StandIn, repository: Repository) -> Told:
    told = site.give(repository.order("hang"))
    wait_until(lambda: any("hanging" in progress.log for progress in told.progress))
    return told


def test_sigterm_gives_the_job_back_and_leaves_nothing(
    site: StandIn, worker: Worker, broker: str, repository: Repository
) -> None:
    process = worker("--poll", "0.2", REDIS_URL=broker)
    told = running_job(site, repository)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 3  # the zygote, the child, and the daemon it started
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
    assert told.given_back
    assert not any(alive(one) for one in family)


def test_kill_9_leaves_no_child_and_a_new_worker_goes_on(
    site: StandIn, worker: Worker, repository: Repository
) -> None:
    process = worker("--poll", "0.2")
    told = running_job(site, repository)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 3
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(alive(one) for one in family))
    assert not told.ended
    ready(worker("--poll", "0.2"))
    following = site.give(repository.order())
    wait_until(lambda: following.report)


def test_two_workers_on_one_device_are_refused(site: StandIn, worker: Worker) -> None:
    first = worker()
    ready(first)
    second = worker("--name", "other")
    assert second.wait(PATIENCE_S) == 3
    assert second.stderr is not None
    assert f"held by the worker with process id {first.pid}" in second.stderr.read()


@pytest.mark.parametrize(
    ("token", "sentence", "words"),
    [("wrong", None, "Unauthorized"), (TOKEN, "this site speaks protocol 9", "this site speaks protocol 9")],
)
def test_a_refused_worker_ends_with_the_sites_sentence(
    site: StandIn, worker: Worker, token: str, sentence: str | None, words: str
) -> None:
    site.refuse_hello = sentence
    process = worker(PERFSITE_TOKEN=token)
    assert process.wait(PATIENCE_S) == 3
    assert process.stderr is not None
    assert words in process.stderr.read()


def test_a_missing_token_is_said_before_anything_else(worker: Worker) -> None:
    process = worker(PERFSITE_TOKEN="")
    assert process.wait(PATIENCE_S) == 2
    assert process.stderr is not None
    assert "PERFSITE_TOKEN" in process.stderr.read()


def test_a_worker_waits_for_a_site_that_is_not_up_yet(site: StandIn, worker: Worker) -> None:
    site.down()
    process = worker()
    time.sleep(1.5)
    assert process.poll() is None
    site.up()
    ready(process)
    assert site.hellos[0].facts["bench_cores"]
