"""Rows for tests, made through the services the site itself uses wherever there is one."""

import hashlib
import itertools

from benchmarks.cases import Case
from perfsite.runs.models import Attempt, Build, Job, Project, Run, Worker
from perfsite.runs.queue import job_claim, worker_greet
from perfsite.runs.services import project_add, run_refresh
from workers.messages import Device

_numbers = itertools.count(1)
CPU = Device(device_class="cpu", name="A processor", uuid="cpu-1")


def project_make(**values) -> Project:
    values.setdefault("slug", f"project-{next(_numbers)}")
    values.setdefault("repo", "https://forge.example/acme/models.git")
    return project_add(**values)


def build_make(project: Project, ordinal: int, **values) -> Build:
    values.setdefault("branch", project.branch)
    values.setdefault("sha", hashlib.sha1(f"{project.slug}{ordinal}".encode()).hexdigest())
    values.setdefault("state", "planned")
    values.setdefault("subject", f"commit {ordinal}")
    values.setdefault("author_name", "Ada")
    values.setdefault("author_email", "ada@example.org")
    return Build.objects.create(project=project, ordinal=ordinal, **values)


def case_make(**values) -> Case:
    values = {"model": "cnn", "runner": "torch", "suite": "latency", **values}
    return Case(**values)


def job_make(build: Build, *cases: Case, device_class: str = "cpu", **values) -> Job:
    cases = cases or (case_make(),)
    run, _ = Run.objects.get_or_create(build=build, device_class=device_class)
    spec = {
        "source": {"kind": "catalogue", "ref": "tiny-cnn"},
        "cases": [case.model_dump() for case in cases],
    }
    values = {"model": cases[0].model, "precision": cases[0].precision, "spec": spec, **values}
    job = Job.objects.create(run=run, device_class=device_class, **values)
    run_refresh(run_id=run.pk)
    return job


def worker_make(name: str = "w1", device: Device = CPU) -> Worker:
    return worker_greet(name=name, device=device, facts={})


def claim(worker: Worker) -> Attempt:
    attempt = job_claim(worker=worker)
    assert attempt is not None
    return attempt
