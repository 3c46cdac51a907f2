"""The whole service on a machine with a GPU: a signed push, a report; and where a job's time goes."""

import json
import sqlite3
from datetime import datetime
from functools import partial

import pytest

from tests.e2e.service import Service, Watched, wait_for

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.e2e,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]

CONFIG = """
version = 1
[models.resnet50]
catalogue = "resnet50"
precisions = ["fp16"]
runners = ["torch", "onnxruntime"]
"""
ENDED = {"done", "failed", "cancelled"}
OTHER = {"import", "load"}  # stages that are neither export nor build nor measurement


@pytest.fixture
def service(tmp_path):
    running = Service(tmp_path, short_terms=False)
    try:
        running.up()
        running.token = running.manage("token", "add", "tests", "--purpose", "read").strip()
        yield running
    finally:
        left = running.close()
    assert left == []


def test_pushes_are_measured_on_the_gpu(service):
    repository = Watched(service, "vision")
    for count in (1, 2):  # the second finds a warm worker
        sha = repository.commit(f"{count}", perfsite_DOT_toml=CONFIG, models_DOT_py=f"# {count}\n")
        assert repository.push(sha).status_code == 202
        wait_for(partial(_ended, service, count), 180, lambda: service.jobs("vision"))
    jobs = _measure_jobs(service)
    assert [job["state"] for job in jobs] == ["done", "done"], jobs
    assert all(job["device_class"] != "cpu" for job in jobs)
    shares = _shares(service)
    print(f"export, build and measurement of a job's wall time: {shares}")
    assert shares[-1] >= 0.85


def _measure_jobs(service):
    return [job for job in service.jobs("vision") if job["kind"] == "measure"]


def _ended(service, count):
    jobs = _measure_jobs(service)
    return len(jobs) == count and all(job["state"] in ENDED for job in jobs)


def _shares(service):
    """Of each measure job, oldest first: its export, build and measurement over claim to report."""
    rows = """
        SELECT attempt.claimed_at, attempt.ended_at, report.stages FROM results_report report
        JOIN runs_attempt attempt ON attempt.id = report.attempt_id
        JOIN runs_job job ON job.id = attempt.job_id WHERE job.kind = 'measure' ORDER BY report.id
    """
    with sqlite3.connect(service.data / "perfsite.sqlite3") as connection:
        found = connection.execute(rows).fetchall()
    return [_share(*row) for row in found]


def _share(claimed, ended, stages):
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(claimed)).total_seconds()
    told = [(stage["name"], stage["seconds"]) for stage in json.loads(stages)]
    print(f"{seconds:.1f} s: {', '.join(f'{name} {took:.2f}' for name, took in told)}")
    return round(sum(took for name, took in told if name not in OTHER) / seconds, 3)
