"""What comparisons cost on the devices, from the jobs that ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from perfsite.regressions.confirmation.day_budget import minutes_allowed, minutes_spent
from perfsite.results.models import Report
from perfsite.runs.models import Job, Project

_SHARE = 0.25  # of a day's device time, at most, for a night's self-tests of one device class
_JOBS_READ = 200
_Key = tuple[str, ...]


def minutes_for_tests(*, project: Project, now: datetime) -> float:
    """Device minutes self-tests may take now: what confirmations left of the day, a share at most."""
    jobs = Job.objects.filter(run__build__project=project, kind=Job.Kind.MEASURE)
    newest = jobs.order_by("-id").first()
    day = minutes_allowed(newest.spec if newest else {})
    return min(day - minutes_spent(project_id=project.pk, now=now), _SHARE * day)


@dataclass(frozen=True)
class PairCosts:
    """Seconds of device time per pair, by what is known of a comparison; `pairs` is the usual number."""

    seconds: dict[_Key, float]
    pairs: int

    def seconds_of(self, *, device_class: str, model: str, precision: str) -> float | None:
        """For this model if it was compared before, else for its device; None where nothing ran yet."""
        for key in ((device_class, model, precision), (device_class,), ()):
            if key in self.seconds:
                return self.seconds[key]
        return None


def pair_costs(*, project: Project) -> PairCosts:
    """Costs from the newest comparisons; before the first one a pair is taken for two measure jobs."""
    done = Job.objects.filter(
        run__build__project=project, state="done", started_at__isnull=False, ended_at__isnull=False
    )
    reports = Report.objects.filter(kind="compare", job__in=done).select_related("job").order_by("-id")
    spans: list[tuple[Job, float]] = []
    numbers: list[int] = []
    for report in reports[:_JOBS_READ]:
        pairs = max((len(row["a"]) for row in report.comparisons), default=0)
        if pairs:
            numbers.append(pairs)
            spans.append((report.job, _seconds(report.job) / pairs))
    if not spans:
        measured = done.filter(kind=Job.Kind.MEASURE).order_by("-id")[:_JOBS_READ]
        spans = [(job, 2.0 * _seconds(job)) for job in measured]
    return PairCosts(_medians(spans), round(median(numbers)) if numbers else 6)


def _seconds(job: Job) -> float:
    return (job.ended_at - job.started_at).total_seconds() if job.ended_at and job.started_at else 0.0


def _medians(spans: Iterable[tuple[Job, float]]) -> dict[_Key, float]:
    table: dict[_Key, list[float]] = defaultdict(list)
    for job, seconds in spans:
        for key in ((job.device_class, job.model, job.precision), (job.device_class,), ()):
            table[key].append(seconds)
    return {key: median(values) for key, values in table.items()}
