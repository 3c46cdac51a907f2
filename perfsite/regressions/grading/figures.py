"""How right the service was: false alarms from self-tests, precision from triage, suspicions in vain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db.models import Count

from perfsite.regressions.grading.rates import Kind, Rate, kind_of, rate_of
from perfsite.regressions.models import Incident, Regression, SelfTest, Suspicion, Verdict
from perfsite.regressions.selectors import change_rank
from perfsite.results.models import Measurement, Series
from perfsite.results.selectors import metric_judged
from perfsite.runs.models import Build, Project

PERIOD = timedelta(days=90)
_MANY = 100_000  # builds times series: from then on points are counted once a day
RIGHT = frozenset({"confirmed", "accepted", "fixed"})
WRONG = frozenset({"invalid", "withdrawn"})
MOVED = frozenset({"regressed", "improved"})


@dataclass(frozen=True)
class Figures:
    """The figures of one kind of series, or of all (`kind` None).

    `alarms` are self-tests that told a change, of all self-tests; `comparisons` are the jobs they came
    from, which is less: the metrics of one job share its pairs.  `undecided` of them told nothing.
    `precision` is the share of judged incidents that were real.  `refuted` are suspicions that pairs
    refuted, of all points; `confirmed` and `open_ended` the other suspicions that were compared.
    """

    kind: Kind | None
    alarms: Rate
    comparisons: int
    undecided: int
    precision: Rate
    precision_ever: Rate
    refuted: Rate
    confirmed: int
    open_ended: int


@dataclass(frozen=True)
class Grading:
    """The figures of a project since a moment; `waiting` incidents of that time nobody has judged."""

    since: datetime
    every: Figures
    kinds: list[Figures]
    waiting: int


@dataclass
class _Counts:
    """What is counted of one kind."""

    counts: Counter[str] = field(default_factory=Counter)
    jobs: set[int] = field(default_factory=set)

    def add(self, other: _Counts) -> None:
        self.counts += other.counts
        self.jobs |= other.jobs

    def figures(self, kind: Kind | None) -> Figures:
        found = self.counts
        return Figures(
            kind,
            alarms=rate_of(found["alarms"], found["tests"]),
            comparisons=len(self.jobs),
            undecided=found["undecided"],
            precision=rate_of(found["right"], found["right"] + found["wrong"]),
            precision_ever=rate_of(found["right_ever"], found["right_ever"] + found["wrong_ever"]),
            refuted=rate_of(found["refuted"], max(found["points"], found["refuted"])),
            confirmed=found["confirmed"],
            open_ended=found["open_ended"],
        )


def grading_read(*, project: Project, now: datetime) -> Grading:
    """The figures of the last `PERIOD` (precision also of all time), in a fixed number of queries."""
    since = now - PERIOD
    table: dict[Kind, _Counts] = {}
    _self_tests_count(table, project, since)
    waiting = _incidents_count(table, project, since)
    _suspicions_count(table, project, since)
    _points_count(table, project, since)
    every = _Counts()
    for counts in table.values():
        every.add(counts)
    kinds = [table[kind].figures(kind) for kind in sorted(table)]
    return Grading(since, every.figures(None), kinds, waiting)


def _of(table: dict[Kind, _Counts], metric: str, device_class: str) -> _Counts:
    return table.setdefault(kind_of(metric, device_class), _Counts())


def _self_tests_count(table: dict[Kind, _Counts], project: Project, since: datetime) -> None:
    rows = SelfTest.objects.filter(project=project, created_at__gte=since)
    for metric, device_class, verdict, job_id in rows.values_list(
        "metric", "device_class", "verdict", "job_id"
    ):
        found = _of(table, metric, device_class)
        found.jobs.add(job_id)
        found.counts["tests"] += 1
        found.counts["alarms"] += verdict in MOVED
        found.counts["undecided"] += verdict == Verdict.Kind.UNKNOWN


def incident_was_right(*, state: str, is_withdrawn: bool) -> bool | None:
    """Whether an incident was real as far as a person or later data judged it; None while nobody did."""
    if is_withdrawn or state in WRONG:
        return False
    return True if state in RIGHT else None


def _incidents_count(table: dict[Kind, _Counts], project: Project, since: datetime) -> int:
    """Count every judged incident once, with the kind of its worst series; returns how many wait."""
    waiting = 0
    for incident, metric, device_class in _incidents_with_worst(project):
        right = incident_was_right(state=incident.state, is_withdrawn=incident.withdrawn_at is not None)
        recent = incident.opened_at >= since
        if right is None:
            waiting += recent
            continue
        found = _of(table, metric, device_class).counts
        word = "right" if right else "wrong"
        found[f"{word}_ever"] += 1
        found[word] += recent
    return waiting


def _incidents_with_worst(project: Project) -> Iterable[tuple[Incident, str, str]]:
    """Each incident with metric and device class of the regression a person feels first."""
    worst: dict[int, tuple[tuple[int, float], str, str]] = {}
    rows = Regression.objects.filter(incident__project=project).values_list(
        "incident_id", "series__metric", "series__device_class", "verdict__relative"
    )
    for incident_id, metric, device_class, relative in rows:
        row = (change_rank(metric, relative), metric, device_class)
        worst[incident_id] = min(row, worst.get(incident_id, row))
    fields = ("state", "withdrawn_at", "opened_at")
    for incident in Incident.objects.filter(project=project, merged_into=None).only(*fields):
        if incident.pk in worst:
            yield incident, worst[incident.pk][1], worst[incident.pk][2]


def _suspicions_count(table: dict[Kind, _Counts], project: Project, since: datetime) -> None:
    """Count what pairs said about each settled suspicion; the newest verdict counts."""
    settled = Suspicion.objects.filter(series__project=project, state="settled", opened_at__gte=since)
    doubts = {
        (series_id, build_id): (metric, device_class)
        for series_id, build_id, metric, device_class in settled.values_list(
            "series_id", "build_id", "series__metric", "series__device_class"
        )
    }
    verdicts = Verdict.objects.filter(
        series__project=project, stage="confirmation", created_at__gte=since
    ).order_by("id")
    answers = {
        (series_id, build_id): kind
        for series_id, build_id, kind in verdicts.values_list("series_id", "build_id", "kind")
    }
    for key, (metric, device_class) in doubts.items():
        kind = answers.get(key, Verdict.Kind.UNKNOWN)
        word = "confirmed" if kind in MOVED else "refuted" if kind == Verdict.Kind.SAME else "open_ended"
        _of(table, metric, device_class).counts[word] += 1


def _points_count(table: dict[Kind, _Counts], project: Project, since: datetime) -> None:
    for metric, device_class, count in _points_known(project, since):
        _of(table, metric, device_class).counts["points"] += count


def _points_known(project: Project, since: datetime) -> list[tuple[str, str, int]]:
    """How many judged points each metric and device class has; of a long history as counted this day.

    Millions of points are counted in seconds and are only what a rate is divided by.
    """
    builds = Build.objects.filter(project=project, received_at__gte=since).count()
    if builds * Series.objects.filter(project=project).count() < _MANY:
        return _points_now(project, since)
    key = f"grading-points:{project.pk}:{since:%Y-%m-%d}"
    rows: list[tuple[str, str, int]] | None = cache.get(key)
    if rows is None:
        rows = _points_now(project, since)
        cache.set(key, rows, timedelta(days=1).total_seconds())
    return rows


def _points_now(project: Project, since: datetime) -> list[tuple[str, str, int]]:
    points = Measurement.objects.filter(
        metric_judged("series__metric"), series__project=project, build__received_at__gte=since
    )
    rows = points.values_list("series__metric", "series__device_class").annotate(count=Count("id"))
    return list(rows.order_by())
