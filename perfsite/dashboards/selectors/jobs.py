"""Jobs as people watch them: what runs now, what failed, how a run stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, QuerySet

from perfsite.runs.models import Attempt, Job, Project, Run
from perfsite.runs.states import JOB_ENDED


@dataclass(frozen=True)
class LiveJob:
    """A running job with its last word.  `fraction` is of the whole job, 0 to 1."""

    job: Job
    attempt: Attempt | None

    @property
    def fraction(self) -> float:
        """How much of the job is done."""
        return float(self.job.progress.get("fraction") or 0.0)

    @property
    def stage(self) -> str:
        """What it does now, in the worker's words."""
        return str(self.job.progress.get("stage") or "starting")

    @property
    def message(self) -> str:
        """What the worker says about it."""
        return str(self.job.progress.get("message") or "")

    @property
    def remaining_s(self) -> float | None:
        """How long it still takes, in seconds, when the worker can tell."""
        return self.job.progress.get("remaining_s")

    @property
    def log(self) -> str:
        """The newest tail of its log."""
        return str(self.job.progress.get("log") or self.job.log)


def _with_attempts(jobs: QuerySet[Job]) -> QuerySet[Job]:
    attempts = Attempt.objects.select_related("worker").order_by("number")
    return jobs.prefetch_related(Prefetch("attempts", queryset=attempts, to_attr="tries_made"))


def live_job(job: Job) -> LiveJob:
    """A job whose attempts were fetched, with the one that is alive."""
    attempts: list[Attempt] = getattr(job, "tries_made", [])
    return LiveJob(job, next((attempt for attempt in attempts if attempt.state == "running"), None))


def jobs_running(*, projects: Sequence[Project]) -> list[LiveJob]:
    """The jobs that run now, the one that has run longest first."""
    jobs = Job.objects.filter(run__build__project__in=projects, state="running")
    chosen = _with_attempts(jobs.select_related("run__build__project").order_by("started_at", "id"))
    return [live_job(job) for job in chosen]


def jobs_queued_count(*, projects: Sequence[Project]) -> int:
    """How many jobs wait."""
    return Job.objects.filter(run__build__project__in=projects, state="queued").count()


def jobs_failed(*, project: Project, most: int = 6) -> list[Job]:
    """The last jobs that failed, the newest first."""
    failed = Job.objects.filter(run__build__project=project, state="failed")
    return list(failed.select_related("run__build").order_by("-ended_at", "-id")[:most])


def run_jobs(*, run: Run) -> list[Job]:
    """A run's jobs with their attempts, reports and files, in the order they were made."""
    jobs = run.jobs.select_related("report__environment").prefetch_related("artifacts")
    return list(_with_attempts(jobs.order_by("-kind", "model", "precision", "id")))


@dataclass(frozen=True)
class Step:
    """A rung of a run's ladder.  `state` is done, running, waiting or failed; `fraction` is 0 to 1."""

    name: str
    state: str
    text: str
    fraction: float | None = None


def run_ladder(*, run: Run, jobs: Sequence[Job], verdicts: dict[str, int]) -> list[Step]:
    """From the commit to the verdict: what is done, what runs, what is still to come."""
    build = run.build
    measure = [job for job in jobs if job.kind == Job.Kind.MEASURE]
    compare = [job for job in jobs if job.kind == Job.Kind.COMPARE]
    steps = [
        Step("Received", "done", f"commit {build.short} on {build.branch}"),
        Step("Planned", "done", f"{len(measure)} measure jobs on {run.device_class}"),
        _jobs_step("Measured", measure),
        _screen_step(measure),
    ]
    if compare:
        steps.append(_jobs_step("Confirmed", compare))
    return [*steps, _verdict_step(verdicts, live=any(job.state not in JOB_ENDED for job in jobs))]


def _jobs_step(name: str, jobs: Sequence[Job]) -> Step:
    ended = [job for job in jobs if job.state in JOB_ENDED]
    failed = sum(job.state == "failed" for job in jobs)
    running = [live_job(job) for job in jobs if job.state == "running"]
    text = f"{len(ended)} of {len(jobs)} jobs ended" + (f", {failed} failed" if failed else "")
    if len(ended) == len(jobs):
        return Step(name, "failed" if failed else "done", text)
    fraction = (len(ended) + sum(live.fraction for live in running)) / len(jobs)
    return Step(name, "running" if running or ended else "waiting", text, fraction)


def _screen_step(jobs: Sequence[Job]) -> Step:
    reports = [report for job in jobs if (report := getattr(job, "report", None)) is not None]
    seen = sum(report.screened_at is not None for report in reports)
    if not reports:
        return Step("Screened", "waiting", "no report has come yet")
    text = f"{seen} of {len(reports)} reports compared with their history"
    return Step("Screened", "done" if seen == len(reports) else "running", text, seen / len(reports))


def _verdict_step(verdicts: dict[str, int], *, live: bool) -> Step:
    if not verdicts:
        text = "after the reports" if live else "nothing was judged: a new series needs a few builds first"
        return Step("Verdict", "waiting", text)
    words = ", ".join(f"{count} {kind}" for kind, count in sorted(verdicts.items()))
    return Step("Verdict", "running" if live else "done", words)


def job_stages(job: Job) -> list[dict[str, Any]]:
    """The steps an ended job went through: `name` and `seconds` of each."""
    report = getattr(job, "report", None)
    return list(report.stages) if report is not None else []
