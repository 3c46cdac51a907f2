"""Kill anything at any moment: every job still ends exactly once."""

import signal

import httpx
import pytest
import redis

from tests.e2e.service import CONFIG, MODELS, Service, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

ENDED = {"done", "failed", "cancelled"}


def start_commits(repository, count: int) -> list[str]:
    shas = [repository.commit("one", perfsite_DOT_toml=CONFIG, models_DOT_py=MODELS)]
    return shas + [repository.commit(f"{n}", models_DOT_py=MODELS + f"# {n}\n") for n in range(1, count)]


def measure_jobs(service, slug: str) -> list[dict]:
    """The jobs the pushes asked for; the service may order comparisons of its own."""
    return [job for job in service.jobs(slug) if job["kind"] == "measure"]


def running(service, slug: str) -> list[dict]:
    return [job for job in service.jobs(slug) if job["state"] == "running"]


def check_ended_once(service, slug: str, count: int) -> list[dict]:
    """Wait until `count` jobs ended, each with exactly one reported attempt and one point per metric."""

    def ended() -> bool:
        try:
            jobs = measure_jobs(service, slug)
        except httpx.HTTPError:
            return False  # the site is being restarted
        return len(jobs) == count and all(job["state"] in ENDED for job in jobs)

    wait_for(ended, 150, lambda: service.jobs(slug))
    jobs = measure_jobs(service, slug)
    for job in jobs:
        states = [attempt["state"] for attempt in job["attempts"]]
        assert job["state"] == "done", job
        assert states.count("reported") == 1, job
        assert "running" not in states, job
    return jobs


def test_push_is_measured_and_a_replay_changes_nothing(service, watched):
    repository = watched("plain")
    shas = start_commits(repository, 2)
    assert repository.push(*shas, delivery="one").status_code == 202
    jobs = check_ended_once(service, "plain", 4)
    assert repository.push(*shas, delivery="one").status_code == 200
    assert len(measure_jobs(service, "plain")) == len(jobs)
    series = service.get("/projects/plain/series?limit=500")["items"]
    medians = [row for row in series if row["metric"] == "latency_p50"]
    assert {row["model"] for row in medians} == {"quick", "slow"}
    for row in medians:
        points = service.get(f"/series/{row['id']}/points")["items"][::-1]
        assert [point["ordinal"] for point in points] == [1, 2]
        if row["model"] == "slow":
            assert all(0.009 < point["value"] < 0.1 for point in points)  # it sleeps for 10 ms


def test_worker_killed_in_mid_job(service, watched):
    repository = watched("killed-worker")
    assert repository.push(*start_commits(repository, 2)).status_code == 202
    wait_for(lambda: any(job["model"] == "slow" for job in running(service, "killed-worker")), 60)
    before = service.part("-m workers")
    before.kill()
    jobs = check_ended_once(service, "killed-worker", 4)
    assert any(attempt["state"] == "lost" for job in jobs for attempt in job["attempts"])
    assert service.part("-m workers").pid != before.pid


def test_redis_flushed_and_killed(service, watched):
    repository = watched("flushed")
    shas = start_commits(repository, 3)
    repository.push(shas[0])
    redis.Redis.from_url(service.broker_url).flushall()
    repository.push(shas[1])
    service.broker_process().kill()
    assert repository.push(shas[2]).status_code == 202  # a dead broker never slows a webhook down
    check_ended_once(service, "flushed", 6)


def test_doubled_wake_ups_claim_nothing_twice(service, watched):
    repository = watched("doubled")
    wait_for(service.broker_answers, 30)
    repository.push(*start_commits(repository, 2))
    from celery import Celery

    sender = Celery(broker=service.broker_url)
    sender.conf.broker_transport_options = {"global_keyprefix": "perfsite-wake:"}
    for _ in range(20):
        sender.send_task("workers.wake", queue="gpu.cpu", ignore_result=True)
    jobs = check_ended_once(service, "doubled", 4)
    assert all(len(job["attempts"]) == 1 for job in jobs)


def test_site_killed_in_mid_job(service, watched):
    repository = watched("killed-site")
    repository.push(*start_commits(repository, 2))
    wait_for(lambda: any(job["model"] == "slow" for job in running(service, "killed-site")), 60)
    service.part("granian").kill()
    check_ended_once(service, "killed-site", 4)


def test_broken_model_fails_alone_with_its_words(service, watched):
    repository = watched("broken")
    config = CONFIG + '[models.broken]\nentry = "models.py:broken"\n'
    repository.push(repository.commit("one", perfsite_DOT_toml=config, models_DOT_py=MODELS))
    wait_for(
        lambda: (
            len(service.jobs("broken")) == 3 and all(job["state"] in ENDED for job in service.jobs("broken"))
        ),
        90,
        lambda: service.jobs("broken"),
    )
    states = {job["model"]: job for job in measure_jobs(service, "broken")}
    assert states["quick"]["state"] == states["slow"]["state"] == "done"
    assert states["broken"]["failure_kind"] == "model"
    assert "these weights are not here" in states["broken"]["failure"]


def test_site_restarted_whole_starts_on_the_same_data(service, watched):
    repository = watched("restarted")
    repository.push(*start_commits(repository, 2))
    wait_for(lambda: any(job["model"] == "slow" for job in running(service, "restarted")), 60)
    for number in (signal.SIGTERM, signal.SIGINT):
        assert service.down(number) == 0
        assert service.processes() == []
        assert not service.broker_answers()
        service.up()
    check_ended_once(service, "restarted", 4)


def test_second_service_on_the_same_data_is_refused(service):
    answer = service.run("up", "--port", "8790")
    assert answer.returncode == 1
    assert "another perfsite runs on" in answer.stderr


def test_port_in_use_is_said_and_the_next_one_taken(service, tmp_path):
    other = Service(tmp_path)
    try:
        other.up(port=int(service.url.rsplit(":", 1)[1]))
        said = (tmp_path / "up.out").read_text()
        assert "is in use, taking" in said
        assert other.url != service.url
        assert httpx.get(f"{other.url}/healthz").json() == {"status": "ok"}
    finally:
        left = other.close()
    assert left == []
