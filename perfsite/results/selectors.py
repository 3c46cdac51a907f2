"""Reading what was measured: series to choose from, points to draw, tables to show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.core.cache import cache
from django.db.models import (
    Avg,
    BooleanField,
    Count,
    ExpressionWrapper,
    F,
    IntegerField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Window,
)
from django.db.models.functions import Cast, Lag

from perfsite.results.metrics import JUDGED, JUDGED_PREFIXES
from perfsite.results.models import Environment, Measurement, Report, Series
from perfsite.results.rows import BucketRow, Extent, PointRow
from perfsite.runs.models import Project

# a chart gets at most this many points; a longer series is folded into buckets until it is zoomed
MAX_POINTS = 2000

_KEPT_S = 86_400  # how long a derived answer is kept that only a new point can change

# what a reader may narrow a list of series by, in the order of the form
FACETS = ("model", "runner", "precision", "shape", "suite", "metric", "device_class")


def metric_judged(path: str = "metric") -> Q:
    """The rows whose metric, at this path of lookups, is judged and does not only describe."""
    wanted = Q(**{f"{path}__in": JUDGED})
    for prefix in JUDGED_PREFIXES:
        wanted |= Q(**{f"{path}__startswith": prefix})
    return wanted


def _is_judged(path: str) -> ExpressionWrapper:
    """Sorts what is judged, as the larger, before what only describes."""
    return ExpressionWrapper(metric_judged(path), output_field=BooleanField())


def series_find(
    *, project: Project, text: str = "", facets: Mapping[str, str] | None = None
) -> QuerySet[Series]:
    """The series of a project that match every word of `text` and every given facet, in reading order."""
    found = Series.objects.filter(project=project)
    for name, value in (facets or {}).items():
        if name in FACETS and value:
            found = found.filter(**{name: value})
    for word in text.replace("/", " ").split():
        matches = Q()
        for name in FACETS:
            matches |= Q(**{f"{name}__icontains": word})
        found = found.filter(matches)
    order = ("model", "-judged", "suite", "metric", "runner", "precision", "shape", "device_class", "id")
    return found.annotate(judged=_is_judged("metric")).order_by(*order)


def facet_values(*, project: Project) -> dict[str, list[str]]:
    """What each facet can be in this project, sorted; a facet without values is left out."""
    columns: dict[str, set[str]] = {name: set() for name in FACETS}
    for row in Series.objects.filter(project=project).values_list(*FACETS).distinct():
        for name, value in zip(FACETS, row, strict=True):
            columns[name].add(value)
    return {name: sorted(values) for name, values in columns.items() if values}


def series_extent(*, series: Series) -> Extent:
    """Where the series begins and ends, and its number of points."""
    found = Measurement.objects.filter(series=series).aggregate(
        first=Min("ordinal"), last=Max("ordinal"), count=Count("id")
    )
    return Extent(found["first"], found["last"], found["count"])


def series_span_count(*, series: Series, first: int, last: int) -> int:
    """How many points lie between two ordinals, both included."""
    return Measurement.objects.filter(series=series, ordinal__range=(first, last)).count()


def series_points(*, series: Series, first: int | None = None, last: int | None = None) -> list[PointRow]:
    """The points between two ordinals, both included, in branch order; every one when none is given."""
    points = Measurement.objects.filter(series=series)
    if first is not None:
        points = points.filter(ordinal__gte=first)
    if last is not None:
        points = points.filter(ordinal__lte=last)
    rows = points.order_by("ordinal").values_list(
        "ordinal",
        "value",
        "ci_low",
        "ci_high",
        "n",
        "unstable",
        "build_id",
        "job__run_id",
        "build__sha",
        "build__subject",
        "build__author_name",
        "build__committed_at",
    )
    return [PointRow(*row) for row in rows]


def series_buckets(*, series: Series, first: int, last: int, buckets: int = MAX_POINTS) -> list[BucketRow]:
    """The points between two ordinals folded by the database into at most `buckets` equal spans."""
    width = max(1, -(-(last - first + 1) // buckets))
    rows = (
        Measurement.objects.filter(series=series, ordinal__range=(first, last))
        # whole-number division: SQLite and PostgreSQL both cut towards zero
        .annotate(bucket=Cast((F("ordinal") - first) / width, IntegerField()))
        .values("bucket")
        .annotate(
            first_ordinal=Min("ordinal"),
            last_ordinal=Max("ordinal"),
            low=Min("value"),
            high=Max("value"),
            mean=Avg("value"),
            count=Count("id"),
        )
        .order_by("bucket")
        .values_list("first_ordinal", "last_ordinal", "low", "high", "mean", "count")
    )
    return [BucketRow(*row) for row in rows]


def environment_steps(
    *, series: Series, extent: Extent | None = None
) -> list[tuple[int, Environment, Environment]]:
    """Where the environment of a series changed: `(ordinal, before, after)`, found by the database.

    A point's environment never changes, so the answer is kept until the series has another point.
    """
    extent = extent or series_extent(series=series)
    key = f"environment-steps:{series.pk}:{extent.last}:{extent.points}"
    rows = cache.get(key)
    if rows is None:
        rows = _environment_steps(series)
        cache.set(key, rows, _KEPT_S)
    wanted = {key for _, before, after in rows for key in (before, after)}
    environments = Environment.objects.in_bulk(wanted)
    return [(ordinal, environments[before], environments[after]) for ordinal, before, after in rows]


def _environment_steps(series: Series) -> list[tuple[int, int, int]]:
    """The same with the ids of the environments: reads a report for each point."""
    here = F("job__report__environment_id")
    steps = (
        Measurement.objects.filter(series=series, job__report__isnull=False)
        .annotate(here=here, before=Window(Lag("job__report__environment_id"), order_by="ordinal"))
        .filter(before__isnull=False)
        .exclude(before=F("here"))
        .order_by("ordinal")
        .values_list("ordinal", "before", "here")
    )
    return list(steps)


def recent_values(*, series: Iterable[Series], builds: int = 60) -> dict[int, list[tuple[int, float]]]:
    """The newest points of many series in one query: series id -> `(ordinal, value)` in branch order.

    `builds` counts places on the branch back from the newest point of any of them.
    """
    ids = [row.pk for row in series]
    # the newest point of each, not the newest of all their points: an index probe a series, no scan
    last = Measurement.objects.filter(series=OuterRef("pk")).order_by("-ordinal").values("ordinal")[:1]
    rows_last = Series.objects.filter(pk__in=ids).values_list(Subquery(last), flat=True)
    newest = max((ordinal for ordinal in rows_last if ordinal is not None), default=None)
    found: dict[int, list[tuple[int, float]]] = {key: [] for key in ids}
    if newest is None:
        return found
    rows = (
        Measurement.objects.filter(series_id__in=ids, ordinal__gt=newest - builds)
        .order_by("series_id", "ordinal")
        .values_list("series_id", "ordinal", "value")
    )
    for key, ordinal, value in rows:
        found[key].append((ordinal, value))
    return found


def unstable_share(*, project: Project, ordinals: Sequence[int]) -> float | None:
    """Which part of the points at these places is unstable, 0 to 1; None when there are no points."""
    found = Report.objects.filter(
        job__run__build__project=project,
        job__run__build__branch=project.branch,
        job__run__build__ordinal__in=ordinals,
    ).aggregate(every=Sum("points"), unstable=Sum("unstable"))
    return found["unstable"] / found["every"] if found["every"] else None


def run_points(*, run_id: int) -> QuerySet[Measurement]:
    """The accepted points that a run's jobs measured, with their series, in reading order."""
    return (
        Measurement.objects.filter(job__run_id=run_id)
        .select_related("series")
        .annotate(judged=_is_judged("series__metric"))
        .order_by(
            "series__model",
            "series__precision",
            "series__runner",
            "series__shape",
            "-judged",
            "series__suite",
            "series_id",
        )
    )


def previous_values(*, points: Iterable[Measurement], reach: int = 50) -> dict[int, float]:
    """The value before each point in its own series: series id -> value, looking back `reach` places."""
    older = Measurement.objects.filter(
        series=OuterRef("series"), ordinal__lt=OuterRef("ordinal"), ordinal__gte=OuterRef("ordinal") - reach
    )
    rows = Measurement.objects.filter(pk__in=[point.pk for point in points])
    before = Subquery(older.order_by("-ordinal").values("value")[:1])
    return {key: value for key, value in rows.values_list("series_id", before) if value is not None}
