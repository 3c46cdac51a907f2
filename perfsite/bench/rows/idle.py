"""How much of its time a real worker has no child at work, with jobs of a second and a full queue."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from django.conf import settings

from benchmarks.cases import Case
from perfsite.access.services import token_renew
from perfsite.bench.served import SITE, served
from perfsite.bench.table import Row, row_under
from perfsite.bench.world import jobs_made
from perfsite.core.errors import PerfsiteError
from perfsite.runs.models import Job
from perfsite.runs.services import project_add

MOST_PERCENT = 15.0
JOB_S = 1.0
_CLASS = "cpu"
_LOOK_S = 0.004
_START_S = 180.0


def idle_measure(seconds: float) -> list[Row]:
    """The row."""
    folder = Path(settings.DATA) / "watched"
    sha = _repository(folder)
    project = project_add(slug="idle", repo=str(folder))
    case = Case(model="model-0", runner="torch", suite="latency", duration_s=0.5)
    spec = {"source": {"kind": "catalogue", "ref": "tiny-cnn"}, "cases": [case.model_dump()]}
    count = max(10, int(3 * seconds))
    jobs = jobs_made(project, count, device_class=_CLASS, spec=spec, per_build=count)
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(model="model-0")
    build = jobs[0].run.build
    build.sha = sha
    build.save(update_fields=["sha"])
    with served(SITE) as urls:
        watched = _watch(urls[SITE], urls["broker"], [job.pk for job in jobs], seconds)
    # as if a child took a second: what lies between two of them is the same whatever they do
    percent = 100 * watched.gap / (JOB_S + watched.gap)
    note = (
        f"idle: {watched.jobs} jobs of {watched.child:.2f} s in the child, {watched.gap:.3f} s between two "
        "of them, taken as a share of a second and that"
    )
    return [row_under("worker idle at jobs of 1 s, queue full", percent, "%", limit=MOST_PERCENT, note=note)]


@dataclass(frozen=True)
class _Watched:
    """Seconds a job had a child, and seconds between two children; means."""

    jobs: int
    child: float
    gap: float


def _watch(site: str, broker: str, jobs: list[int], seconds: float) -> _Watched:
    """Start a worker and look which of the time its zygote has a child."""
    log = Path(settings.DATA) / "logs" / "worker.log"
    environment = {
        **os.environ, "PERFSITE_SITE": site, "REDIS_URL": broker, "PERFSITE_DEVICE": "cpu",
        "PERFSITE_TOKEN": token_renew(name="bench-worker", purpose="worker"),
        "PERFSITE_WORK": str(Path(settings.DATA) / "work"),
    }  # fmt: skip
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "workers", "--name", "bench"],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        _first_done(jobs, worker, log)
        before = _done(jobs)
        started, busy = time.perf_counter(), 0.0
        children = _zygote_children(worker.pid)
        last = started
        while (now := time.perf_counter()) - started < seconds:
            busy += (now - last) if children.read_text().strip() else 0.0
            last = now
            time.sleep(_LOOK_S)
        done = _done(jobs) - before
    finally:
        worker.terminate()
        worker.wait(30)
    if not done or _done(jobs) == len(jobs):
        raise PerfsiteError(
            f"{done} jobs ended in {seconds:.0f} s, the queue was not full; give --seconds more"
        )
    span = last - started
    return _Watched(done, busy / done, (span - busy) / done)


def _first_done(jobs: list[int], worker: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not _done(jobs):
        if worker.poll() is not None or time.monotonic() > deadline:
            raise PerfsiteError(f"the worker did no job; its log ends:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _done(jobs: list[int]) -> int:
    return Job.objects.filter(pk__in=jobs, state="done").count()


def _zygote_children(pid: int) -> Path:
    """Where the kernel lists the children of the worker's zygote."""
    for process in psutil.Process(pid).children():
        if "workers.zygote" in " ".join(process.cmdline()):
            return Path(f"/proc/{process.pid}/task/{process.pid}/children")
    raise PerfsiteError("the worker has no zygote")


def _repository(folder: Path) -> str:
    """A repository of one commit; returns it."""
    folder.mkdir()
    for words in (
        ("init", "-q", "-b", "main"),
        (
            "-c",
            "user.name=bench",
            "-c",
            "user.email=bench@localhost",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "one",
        ),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    told = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    )
    return told.stdout.strip()
