"""A small world: builds, reports stored by the site's own services, one regression with its comparison."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from perfsite.alerts.models import Channel, Notification, OutboxMail
from perfsite.regressions.models import Incident, Regression, Verdict
from perfsite.results.models import Measurement, Report, Series
from perfsite.results.services import report_store
from perfsite.runs.models import Build, Job, Project, Worker
from tests.factories import build_make, case_make, claim, job_make, project_make, worker_make
from tests.regressions.histories import builds_repeat
from tests.reports import report_make

GOOD_S, BAD_S = 0.0041, 0.0049
CASE = case_make(model="cnn", runner="torch", suite="latency")
COMPARISON = {
    "case": CASE.model_dump(),
    "metric": "latency_p50",
    "a": [GOOD_S, GOOD_S, GOOD_S],
    "b": [BAD_S, BAD_S, BAD_S],
    "verdict": "regressed",
    "relative": 0.195,
    "relative_low": 0.17,
    "relative_high": 0.22,
    "evidence": 4321.0,
    "sentence": "The suspect was slower in 3 of 3 pairs.",
}


def measured(project: Project, ordinal: int, value: float, worker: Worker, **build) -> Job:
    """A build whose only job was claimed and whose report was stored."""
    job = job_make(build_make(project, ordinal, **build), CASE)
    attempt = claim(worker)
    body = report_make(job, {"latency_p50": value, "latency_p99": value * 1.4})
    report_store(token=attempt.token, body=body, raw=body.model_dump_json().encode())
    job.refresh_from_db()
    return job


def judged(series: Series, build: Build, base: Build, **values) -> Verdict:
    """A verdict with plain numbers."""
    facts = {"before": GOOD_S, "after": BAD_S, "relative": 0.195, "relative_low": 0.17, "relative_high": 0.22}
    facts |= {"stage": "confirmation", "detector": "test-1", "data_sha256": "0" * 64, "kind": "regressed"}
    facts |= {"sentence": f"{build.short} made cnn 19.5 % slower on cpu (torch, fp32, batch 1)."}
    return Verdict.objects.create(series=series, build=build, base=base, **(facts | values))


@pytest.fixture(autouse=True)
def _nothing_kept():
    """A test's rows are gone when the next one begins, and their ids come again."""
    cache.clear()


@dataclass
class World:
    """What the pages show."""

    project: Project
    worker: Worker
    jobs: list[Job]
    series: Series
    skipped: Build
    incident: Incident
    mail: OutboxMail

    @property
    def builds(self) -> list[Build]:
        return [job.run.build for job in self.jobs]


@pytest.fixture
def world(db) -> World:
    project = project_make(slug="zoo", name="Model zoo", branch="main")
    worker = worker_make("bench-1")
    values = [GOOD_S] * 5 + [BAD_S] * 3
    first = measured(project, 1, values[0], worker)
    later = builds_repeat(first.run.build, [value / values[0] for value in values[1:]])
    jobs = [first, *Job.objects.filter(run__build__in=later).select_related("run__build").order_by("id")]
    skipped = build_make(project, 9, state="skipped", reason="only README.md changed", subject="Say more")
    series = Series.objects.get(project=project, metric="latency_p50")
    return World(project, worker, jobs, series, skipped, _incident(project, jobs, series, worker), _mail())


def _incident(project: Project, jobs: list[Job], series: Series, worker: Worker) -> Incident:
    good, accused = jobs[4].run.build, jobs[5].run.build
    compare = job_make(accused, CASE, kind="compare", spec=jobs[5].spec)
    attempt = claim(worker)
    environment = Report.objects.get(job=jobs[5]).environment
    Report.objects.create(
        job=compare, attempt=attempt, environment=environment, kind="compare", comparisons=[COMPARISON]
    )
    type(compare).objects.filter(pk=compare.pk).update(state="done")
    type(attempt).objects.filter(pk=attempt.pk).update(state="reported")
    verdict = judged(series, accused, good, job=compare)
    incident = Incident.objects.create(project=project, build=accused, range_start=good)
    Regression.objects.create(incident=incident, series=series, build=accused, verdict=verdict)
    channel = Channel.objects.create(project=project, kind="email", name="E-mail")
    Notification.objects.create(
        incident=incident, channel=channel, recipient="ada@example.org", state="sent", key="k1"
    )
    return incident


def _mail() -> OutboxMail:
    return OutboxMail.objects.create(
        message_id="<1@perfsite>",
        sender="perfsite@localhost",
        recipients=["ada@example.org"],
        subject="cnn got slower",
        text="See http://127.0.0.1:8000/projects/zoo/incidents/1/ <b>not markup</b>",
        html="<script>alert(1)</script>",
    )


@pytest.fixture
def failed_job(world) -> Job:
    """A failed job of the newest build, its log kept."""
    job = job_make(world.builds[-1], case_make(model="transformer"))
    Job.objects.filter(pk=job.pk).update(
        state="failed",
        failure_kind="export",
        failure="no ONNX function for aten::odd",
        log="Traceback: aten::odd",
        started_at=timezone.now() - timedelta(seconds=30),
        ended_at=timezone.now(),
    )
    job.refresh_from_db()
    return job


@pytest.fixture
def running_job(world) -> Job:
    """A job that a worker holds, two thirds done."""
    job = job_make(build_make(world.project, 10, subject="Under way"), CASE)
    claim(world.worker)
    progress = {"stage": "measure", "fraction": 0.66, "message": "4 of 6 cases", "remaining_s": 42.0}
    Job.objects.filter(pk=job.pk).update(progress=progress)
    job.refresh_from_db()
    return job


@pytest.fixture
def person(client, django_user_model):
    """The test client of somebody who is logged in."""
    client.force_login(django_user_model.objects.create_superuser("ada", password="difference-engine"))
    return client


@pytest.fixture
def points():
    """Adds points to a series without jobs of their own: `points(series, job, values, first=1)`."""

    def add(series: Series, job: Job, values: list[float], first: int) -> None:
        project = series.project
        builds = Build.objects.bulk_create(
            Build(project=project, branch="long", sha=f"{n:040x}", ordinal=n, subject=f"commit {n}")
            for n in range(first, first + len(values))
        )
        Measurement.objects.bulk_create(
            Measurement(series=series, ordinal=build.ordinal, value=value, build=build, job=job)
            for build, value in zip(builds, values, strict=True)
        )

    return add
