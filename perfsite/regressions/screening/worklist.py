"""What is left to screen, and what a point is judged against: the screen's reads, each for many series."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from benchmarks.metrics import metric_get
from perfsite.regressions.levels import level_starts
from perfsite.regressions.models import SeriesState, Suspicion
from perfsite.results.metrics import metric_is_judged
from perfsite.results.models import Measurement, Report, Series
from perfsite.runs.models import Build, Job
from perfsite.runs.states import JOB_ENDED


def reports_unscreened(kind: str) -> list[Report]:
    """The reports of a kind that the screen has not done with, in branch order."""
    rows = Report.objects.filter(kind=kind, screened_at=None).select_related("job__run__build")
    return list(rows.order_by(F("job__run__build__ordinal").asc(nulls_first=True), "id"))


class Place(NamedTuple):
    """How far a series was screened: the ordinal and the build of its newest screened point."""

    through: int = 0
    build_id: int | None = None


class Point(NamedTuple):
    """A measurement as the screen reads it: no model row, of which a push would make ten thousands.

    `seen` is how far its series was screened when it was read; `is_overtaken` tells that a force-push
    took the build of that place away, `is_held` of an open suspicion, `is_preceded` of a point that
    belongs between.
    """

    series_id: int
    metric: str
    ordinal: int
    value: float
    unstable: bool
    n: int
    seen: Place
    is_overtaken: bool
    is_held: bool
    is_preceded: bool

    @property
    def is_ahead(self) -> bool:
        """Whether the screen has not come to it yet."""
        return self.ordinal > self.seen.through


def points_judged(*, job_id: int) -> list[Point]:
    """The points a job brought that can be judged: a direction, and samples enough.  One query."""
    own = OuterRef("series_id")
    state = SeriesState.objects.filter(series_id=own)
    between = Measurement.objects.filter(
        series_id=own, ordinal__gt=OuterRef("through"), ordinal__lt=OuterRef("ordinal")
    )
    doubts = Suspicion.objects.filter(series_id=own, state="open")
    # looked up point by point: where it joins, PostgreSQL reads all series of all projects
    rows = (
        Measurement.objects.filter(job_id=job_id)
        .annotate(
            metric=Subquery(Series.objects.filter(pk=own).values("metric")),
            through=Coalesce(Subquery(state.values("screened_through")), 0),
            seen_build=Subquery(state.values("build_id")),
            seen_ordinal=Subquery(state.values("build__ordinal")),
            is_held=Exists(doubts),
            is_preceded=Exists(between),
        )
        .order_by("series_id")
        .values_list(
            "series_id",
            "metric",
            "ordinal",
            "value",
            "unstable",
            "n",
            "through",
            "seen_build",
            "seen_ordinal",
            "is_held",
            "is_preceded",
        )
    )
    # a build that is gone has no ordinal
    found = (Point(*row[:6], Place(row[6], row[7]), row[6] != (row[8] or 0), *row[9:]) for row in rows)
    return _samples_checked([p for p in found if metric_is_judged(p.metric) and _is_enough(p.metric, p.n)])


def _is_enough(metric: str, n: int) -> bool:
    return n >= metric_get(metric).samples


def _samples_checked(points: list[Point]) -> list[Point]:
    """The points; those that only points of too few samples precede are not preceded."""
    maybe = [point.series_id for point in points if point.is_preceded and point.is_ahead]
    if not maybe:
        return points
    really = series_preceded(series_ids=maybe, before=max(point.ordinal for point in points))
    return [point._replace(is_preceded=point.series_id in really) for point in points]


def states_lock(*, series_ids: Iterable[int]) -> dict[int, SeriesState]:
    """The screen's state of each series, made when it is new, locked until the transaction ends.

    Rows are locked in one order, so two tasks never wait for each other.  SQLite has no row locks
    and needs none: a transaction that writes is alone.
    """
    ids = sorted(series_ids)
    rows = SeriesState.objects.select_for_update().filter(series_id__in=ids).order_by("series_id")
    found = {state.series_id: state for state in rows}
    missing = [SeriesState(series_id=key) for key in ids if key not in found]
    if missing:
        SeriesState.objects.bulk_create(missing, ignore_conflicts=True)
        found |= {state.series_id: state for state in rows.filter(series_id__in=[row.pk for row in missing])}
    return found


def case_labels(*, series_ids: Iterable[int]) -> dict[int, str]:
    """The case of each series as patterns match it."""
    rows = Series.objects.filter(pk__in=list(series_ids)).only("model", "runner", "precision", "shape")
    return {row.pk: row.case_label for row in rows}


def places_lost(*, places: Mapping[int, Place]) -> set[int]:
    """The series whose newest screened point is no longer there, though its build may be."""
    rows = Measurement.objects.filter(
        series_id__in=list(places), ordinal__in={place.through for place in places.values()}
    )
    there = {(key, Place(*place)) for key, *place in rows.values_list("series_id", "ordinal", "build_id")}
    return {key for key, place in places.items() if place.through and (key, place) not in there}


def series_preceded(*, series_ids: Collection[int], before: int) -> set[int]:
    """Those of the series that have a point before the ordinal `before` whose turn comes first."""
    through = Coalesce("series__screen_state__screened_through", 0)
    rows = Measurement.objects.filter(
        series_id__in=series_ids, ordinal__gt=through, ordinal__lt=before
    ).values_list("series_id", "n", "series__metric")
    return {key for key, n, metric in rows if _is_enough(metric, n)}


def build_waits(*, build: Build, device_class: str, model: str, kind: str, behind: int) -> bool:
    """Whether an earlier build may still bring points of `model` that belong before those of `build`.

    Only builds after the ordinal `behind` matter, and jobs of the same `kind`: a soak's series are its
    own, so it waits for earlier soaks, and nobody else for hours.  A received build that could not be
    planned at its first try does not hold the others up: its repository may be away for hours.
    """
    line = Build.objects.filter(project_id=build.project_id, branch=build.branch).exclude(pk=build.pk)
    place = Q(ordinal__gt=behind, ordinal__lt=build.ordinal)
    unplaced = Q(ordinal=None, received_at__lt=build.received_at)
    received = Q(state="received", plan_tries=0)
    earlier = line.filter(received & (place | unplaced) | Q(place, state="planned"))
    states = set(earlier.values_list("state", flat=True).distinct())
    if states != {"planned"}:
        return bool(states)
    jobs = Job.objects.filter(
        run__build__in=line.filter(place, state="planned"), kind=kind, device_class=device_class, model=model
    )
    return jobs.exclude(state__in=JOB_ENDED).exists()


def builds_at(*, places: Collection[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Whose points stand at these places: (series, ordinal) -> build."""
    rows = Measurement.objects.filter(
        series_id__in={key for key, _ in places}, ordinal__in={ordinal for _, ordinal in places}
    )
    return {(row[0], row[1]): row[2] for row in rows.values_list("series_id", "ordinal", "build_id")}


def suspicions_known(*, pairs: Collection[tuple[int, int]]) -> dict[tuple[int, int], Suspicion]:
    """The suspicions about these series and builds that there are: a build is doubted once per series."""
    rows = Suspicion.objects.filter(
        series_id__in={key for key, _ in pairs}, build_id__in={build for _, build in pairs}
    )
    return {(row.series_id, row.build_id): row for row in rows}


def state_truth(*, series_id: int) -> tuple[int, int | None, int]:
    """`screened_through`, its build and `level_start` as the rows that are left tell them."""
    newest = (
        Measurement.objects.filter(series_id=series_id, job__report__screened_at__isnull=False)
        .order_by("-ordinal")
        .values_list("ordinal", "build_id")
        .first()
    )
    through, build_id = newest or (0, None)
    start = max((place for place in level_starts(series_id=series_id) if place <= through), default=0)
    return through, build_id, start


def point_before(*, series_id: int, through: int, samples: int) -> tuple[int, float] | None:
    """Ordinal and value of the newest point at or before the ordinal `through` that can be judged."""
    rows = Measurement.objects.filter(series_id=series_id, ordinal__lte=through, n__gte=samples)
    return rows.order_by("-ordinal").values_list("ordinal", "value").first()


def suspicion_is_ready(*, job_id: int) -> bool:
    """Whether every series of the job's report was screened, or waits for a comparison of its own.

    Until then another series may become suspicious of the same build, and one job can decide both.
    """
    if not Report.objects.filter(job_id=job_id, screened_at=None).exists():
        return True
    return all(point.is_held or not point.is_ahead for point in points_judged(job_id=job_id))
