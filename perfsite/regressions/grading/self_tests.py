"""Every night a few comparisons of a build with itself: whatever change they tell is false.

They run under the rule of confirmations, so their share of false alarms is that of confirmations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from benchmarks.cases import Case
from benchmarks.metrics import metric_get
from benchmarks.report import Comparison
from benchmarks.sequential import Suspected
from perfsite.regressions.grading.budget import minutes_for_tests, pair_costs
from perfsite.regressions.grading.rules import rule_now
from perfsite.regressions.guard import guarded
from perfsite.regressions.models import SelfTest
from perfsite.regressions.selectors import change_rank
from perfsite.results.models import Measurement, Report, Series
from perfsite.results.selectors import metric_judged
from perfsite.runs.cases import case_find, case_key, case_label, cases_of
from perfsite.runs.comparing import compare_order
from perfsite.runs.models import Build, Job, Project, Worker
from perfsite.runs.relevant import Relevant
from perfsite.runs.states import JOB_ENDED

PURPOSE = "self-test"
PRIORITY = -10  # behind soaks: nobody waits for it, so it never ages either
NIGHT_HOUR = 2  # of the site's time zone
NIGHTS = 7  # after which every case has had its turn
_SEEN = timedelta(minutes=10)
_FRESH = timedelta(days=30)  # what nobody pushed to for so long needs no grading


@dataclass(frozen=True)
class _Turn:
    """A case that may be tested: the build that measured it last, the metric to decide, its value."""

    build: Build
    case: Case
    metric: str
    value: float

    @property
    def key(self) -> tuple[str, ...]:
        return self.case.model, *case_key(self.case)


def night_start(now: datetime) -> datetime:
    """When the night that `now` belongs to began: a machine that is off at night catches up by day."""
    local = timezone.localtime(now)
    start = local.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return start if start <= local else start - timedelta(days=1)


def self_tests_order(*, now: datetime | None = None) -> int:
    """Order tonight's self-tests where that was not done yet; returns how many jobs.

    A project's first night is the one after its first day.
    """
    now = now or timezone.now()
    night = night_start(now)
    seen = set(Worker.objects.filter(last_seen__gte=now - _SEEN).values_list("device_class", flat=True))
    projects = Project.objects.filter(created_at__lt=night).order_by("pk")
    return sum(
        guarded(partial(_night_order, project.pk, device_class, night, now), f"self-tests of {project}")
        for project in projects
        for device_class in sorted(seen)
    )


def self_tests_settle(*, now: datetime | None = None) -> int:
    """Keep what ended self-tests told; returns how many rows."""
    since = (now or timezone.now()) - _FRESH
    ended = Job.objects.filter(
        kind=Job.Kind.COMPARE, state="done", ended_at__gte=since, spec__purpose=PURPOSE, self_tests=None
    )
    ids = ended.filter(report__isnull=False).order_by("id").values_list("pk", flat=True)
    return sum(guarded(partial(_job_settle, pk), f"keeping self-test job {pk}") for pk in list(ids))


def self_test_jobs(*, project_id: int) -> QuerySet[Job]:
    """The self-tests that were ordered for a project."""
    return Job.objects.filter(kind=Job.Kind.COMPARE, run__build__project_id=project_id, spec__purpose=PURPOSE)


@transaction.atomic
def _night_order(project_id: int, device_class: str, night: datetime, now: datetime) -> int:
    """Order what is due of one project and class; of two tasks at once the second finds it done.

    What waits from an earlier night is enough: a busy device must not collect them.
    """
    project = Project.objects.select_for_update().get(pk=project_id)
    jobs = self_test_jobs(project_id=project_id).filter(device_class=device_class)
    if jobs.filter(created_at__gte=night).exists() or jobs.exclude(state__in=JOB_ENDED).exists():
        return 0
    allowed = minutes_for_tests(project=project, now=now)
    turns = _turns_due(project, device_class, jobs, now) if allowed > 0 else []
    costs = pair_costs(project=project) if turns else None
    ordered = 0
    for _, rows in groupby(turns, key=lambda turn: (turn.case.model, turn.case.precision)):
        group = list(rows)
        case = group[0].case
        seconds = costs and costs.seconds_of(
            device_class=device_class, model=case.model, precision=case.precision
        )
        allowed -= (seconds or 0.0) * (costs.pairs if costs else 0) / 60.0
        if ordered and allowed < 0:
            break
        _group_order(device_class, group)
        ordered += 1
    return ordered


def _group_order(device_class: str, turns: Sequence[_Turn]) -> None:
    """One job for the cases of a model and precision."""
    build, case = turns[0].build, turns[0].case
    rule = rule_now(project_id=build.project_id)
    compare_order(
        base=build,
        build=build,
        device_class=device_class,
        pin="",
        model=case.model,
        precision=case.precision,
        watch=[(turn.case, turn.metric) for turn in turns],
        suspected=[_suspected(turn, rule) for turn in turns],
        purpose=PURPOSE,
        max_pairs=rule["max_pairs"],
        alpha=rule["alpha"],
        relevant=rule["relevant"],
        priority=PRIORITY,
    )


def _suspected(turn: _Turn, rule: Mapping[str, Any]) -> Suspected:
    """The step a confirmation would be about: for the worse, the smallest told, as sure as asked."""
    metric = Relevant(rule["relevant"]).metric_of(metric_get(turn.metric), case=case_label(turn.case))
    size = metric.relevant
    if turn.value:
        size = max(size, metric.grain / abs(turn.value))
    step = size if metric.better == "lower" else -size
    return Suspected(turn.value, turn.value * (1.0 + step), step, float(rule["score"]))


def _turns_due(project: Project, device_class: str, jobs: QuerySet[Job], now: datetime) -> list[_Turn]:
    """Tonight's share of the cases: those that were tested longest ago, a job's together."""
    tested: dict[tuple[str, ...], datetime] = {}
    for spec, model, at in jobs.filter(created_at__gte=now - _FRESH).values_list(
        "spec", "model", "created_at"
    ):
        for case in cases_of(spec):
            key = (model, *case_key(case))
            tested[key] = max(at, tested.get(key, at))
    never = now - 2 * _FRESH
    turns = [turn for job in _newest_jobs(project, device_class, now) for turn in _turns_of(job)]
    turns.sort(key=lambda turn: (tested.get(turn.key, never), turn.key))
    due = turns[: math.ceil(len(turns) / NIGHTS)]
    return sorted(due, key=lambda turn: (turn.case.model, turn.case.precision, turn.key))


def _newest_jobs(project: Project, device_class: str, now: datetime) -> list[Job]:
    """Of each model and precision the newest build's measure job that ended well."""
    done = Job.objects.filter(
        kind=Job.Kind.MEASURE,
        state="done",
        device_class=device_class,
        created_at__gte=now - _FRESH,
        run__build__project=project,
        run__build__branch=project.branch,
        run__build__ordinal__isnull=False,
    )
    newest = done.values_list("model", "precision").annotate(place=Max("run__build__ordinal")).order_by()
    rows = (
        done.filter(model=model, precision=precision, run__build__ordinal=place)
        .select_related("run__build")
        .order_by("-id")
        .first()
        for model, precision, place in newest
    )
    return [job for job in rows if job is not None]


def _turns_of(job: Job) -> Iterable[_Turn]:
    """The cases whose points a job brought, each with the timed metric a person feels first."""
    points = Measurement.objects.filter(metric_judged("series__metric"), job=job).select_related("series")
    timed = [point for point in points if not metric_get(point.series.metric).exact]
    cases = cases_of(job.spec)
    first: dict[Case, _Turn] = {}
    for point in sorted(timed, key=lambda point: change_rank(point.series.metric, 0.0)):
        case = case_find(cases, point.series)
        if case is not None:
            first.setdefault(case, _Turn(job.run.build, case, point.series.metric, point.value))
    return list(first.values())


@transaction.atomic
def _job_settle(job_id: int) -> int:
    job = Job.objects.select_for_update().select_related(None).get(pk=job_id)
    if SelfTest.objects.filter(job=job).exists():
        return 0
    build = Build.objects.get(runs=job.run_id)
    known = _series_known(build, job)
    report = Report.objects.get(job=job)
    rows = [_row(build, job, Comparison.model_validate(fields), known) for fields in report.comparisons]
    return len(SelfTest.objects.bulk_create(rows))


def _series_known(build: Build, job: Job) -> dict[tuple[object, ...], Series]:
    """The build's series of this job's model and class, by case and metric."""
    points = Measurement.objects.filter(
        build=build, series__device_class=job.device_class, series__model=job.model
    )
    rows = points.select_related("series").order_by("id")
    return {(*case_key(point.series), point.series.metric): point.series for point in rows}


def _row(build: Build, job: Job, told: Comparison, known: dict[tuple[object, ...], Series]) -> SelfTest:
    return SelfTest(
        project_id=build.project_id,
        series=known.get((*case_key(told.case), told.metric)),
        job=job,
        metric=told.metric,
        device_class=job.device_class,
        verdict=told.verdict,
        relative=told.relative,
        pairs=min(len(told.a), len(told.b)),
    )
