"""What is left to screen, and what a point is judged against: the screen's reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, Max, Q

from benchmarks.metrics import metric_get
from perfsite.regressions.models import SeriesState, Suspicion, Verdict
from perfsite.results.models import Measurement, Report, Series
from perfsite.results.selectors import metric_judged
from perfsite.runs.models import Build, Job
from perfsite.runs.states import JOB_ENDED

# older points say nothing about today's noise, and a read must not grow with the history
HISTORY_POINTS = 200


@dataclass(frozen=True)
class History:
    """The newest points of one series up to and with the judged one, in branch order.

    All lists have one entry a point; `values` are in the metric's unit.
    """

    ordinals: list[int]
    values: list[float]
    unstable: list[bool]
    builds: list[int]

    def index_from(self, ordinal: int) -> int:
        """The index of the first point at or behind `ordinal`; 0 when every point is or none is."""
        return next((i for i, place in enumerate(self.ordinals) if place >= ordinal), 0)

    def indices_of(self, ordinals: Iterable[int]) -> list[int]:
        """The indices of those of `ordinals` that are points here."""
        wanted = set(ordinals)
        return [i for i, place in enumerate(self.ordinals) if place in wanted]


def reports_unscreened(kind: str) -> list[Report]:
    """The reports of a kind that the screen has not done with, in branch order."""
    rows = Report.objects.filter(kind=kind, screened_at=None).select_related("job__run__build")
    return list(rows.order_by(F("job__run__build__ordinal").asc(nulls_first=True), "id"))


def points_judged(*, job_id: int) -> list[Measurement]:
    """The points a measure job brought that can be judged: a direction, and samples enough."""
    points = Measurement.objects.filter(metric_judged("series__metric"), job_id=job_id)
    rows = points.select_related("series", "build").order_by("series_id")
    return [point for point in rows if point.n >= metric_get(point.series.metric).samples]


def states_get(*, series_ids: Iterable[int]) -> dict[int, SeriesState]:
    """The screen's state of each series, made when it is new."""
    ids = list(series_ids)
    found = SeriesState.objects.in_bulk(ids)
    missing = [SeriesState(series_id=key) for key in ids if key not in found]
    if missing:
        SeriesState.objects.bulk_create(missing, ignore_conflicts=True)
        found = SeriesState.objects.in_bulk(ids)
    return found


def series_suspected(*, series_ids: Iterable[int]) -> set[int]:
    """Those of the series that have an open suspicion: their later points wait."""
    rows = Suspicion.objects.filter(series_id__in=list(series_ids), state="open")
    return set(rows.values_list("series_id", flat=True))


def build_waits(*, build: Build, device_class: str, model: str, behind: int) -> bool:
    """Whether an earlier build may still bring points of `model` that belong before those of `build`.

    Only builds after the ordinal `behind` matter.  A received build that could not be planned at
    its first try does not hold the others up: its repository may be away for hours.
    """
    line = Build.objects.filter(project_id=build.project_id, branch=build.branch).exclude(pk=build.pk)
    place = Q(ordinal__gt=behind, ordinal__lt=build.ordinal)
    unplaced = Q(ordinal=None, received_at__lt=build.received_at)
    if line.filter(place | unplaced, state="received", plan_tries=0).exists():
        return True
    jobs = Job.objects.filter(
        run__build__in=line.filter(place, state="planned"),
        kind=Job.Kind.MEASURE,
        device_class=device_class,
        model=model,
    )
    return jobs.exclude(state__in=JOB_ENDED).exists()


def history_read(*, series: Series, through: int) -> History:
    """The newest points of a series up to and with the ordinal `through` that can be judged."""
    enough = metric_get(series.metric).samples
    rows = (
        Measurement.objects.filter(series=series, ordinal__lte=through, n__gte=enough)
        .order_by("-ordinal")
        .values_list("ordinal", "value", "unstable", "build_id")[:HISTORY_POINTS]
    )
    ordinals, values, unstable, builds = (list(column) for column in zip(*reversed(rows), strict=True))
    return History(ordinals, values, unstable, builds)


def ordinals_cleared(*, series_id: int) -> list[int]:
    """The places of the points that a comparison found to be no change, or more likely none than one."""
    rows = Verdict.objects.filter(
        Q(kind=Verdict.Kind.SAME) | Q(kind=Verdict.Kind.UNKNOWN, evidence__e_value__lt=1.0),
        series_id=series_id,
        stage="confirmation",
    )
    return [place for place in rows.values_list("build__ordinal", flat=True) if place is not None]


def state_is_stale(*, state: SeriesState) -> bool:
    """Whether a force-push took the newest screened point away or put another build in its place."""
    if not state.screened_through:
        return False
    point = Measurement.objects.filter(series_id=state.series_id, ordinal=state.screened_through)
    return state.build_id is None or not point.filter(build_id=state.build_id).exists()


def state_truth(*, series_id: int) -> tuple[int, int | None, int]:
    """`screened_through`, its build and `level_start` as the rows that are left tell them."""
    newest = (
        Measurement.objects.filter(series_id=series_id, job__report__screened_at__isnull=False)
        .order_by("-ordinal")
        .values_list("ordinal", "build_id")
        .first()
    )
    through, build_id = newest or (0, None)
    changes = Verdict.objects.filter(
        series_id=series_id, kind__in=("regressed", "improved"), build__ordinal__lte=through
    )
    start = changes.aggregate(last=Max("build__ordinal"))["last"] or 0
    return through, build_id, start


def suspicion_is_ready(*, job_id: int) -> bool:
    """Whether every series of the job's report was screened, or waits for a comparison of its own.

    Until then another series may become suspicious of the same build, and one job can decide both.
    """
    if not Report.objects.filter(job_id=job_id, screened_at=None).exists():
        return True
    points = points_judged(job_id=job_id)
    ids = [point.series_id for point in points]
    states, suspected = states_get(series_ids=ids), series_suspected(series_ids=ids)
    return all(
        point.series_id in suspected or point.ordinal <= states[point.series_id].screened_through
        for point in points
    )
