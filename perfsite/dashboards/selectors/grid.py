"""The grid: models x (runner, precision, batch, GPU), each cell the change against a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery

from perfsite.dashboards.charts.heat import Cell, cell_make
from perfsite.dashboards.charts.sparkline import Sparkline, geometric_means, sparkline
from perfsite.results.models import Measurement, Series
from perfsite.results.selectors import recent_values, series_find
from perfsite.runs.models import Build, Project

SORTS = ("name", "worst")
_SPARK_BUILDS = 60
_MOST = 400


@dataclass(frozen=True)
class GridRow:
    """One combination: its cells in the order of the models, None where it is not measured."""

    names: tuple[str, str, str, str]
    cells: Sequence[Cell | None]
    picture: Sparkline

    @property
    def worst(self) -> float:
        """The largest part by which a cell is worse; 0 where none is."""
        return max(
            (abs(c.relative or 0) for c in self.cells if c and c.tone.startswith("worse")), default=0.0
        )


@dataclass(frozen=True)
class Grid:
    """The table: a column per model; `left` counts series that were too many to draw."""

    models: Sequence[str]
    rows: Sequence[GridRow]
    base: Build | None
    left: int


def metrics_of(*, project: Project) -> list[str]:
    """The metrics a project has, the ones a person looks at first coming first."""
    found = Series.objects.filter(project=project, branch=project.branch).values_list("metric", flat=True)
    first = ("gpu_compute_time_p50", "latency_p50", "latency_p99", "throughput")
    names = set(found.order_by().distinct())
    return [name for name in first if name in names] + sorted(names.difference(first))


def baseline_of(*, project: Project, sha: str, back: int) -> Build | None:
    """The build that cells are held against: the one asked for, else `back` places before the newest."""
    rows = project.builds.filter(branch=project.branch, ordinal__isnull=False).order_by("-ordinal")
    if sha:
        return rows.filter(sha__startswith=sha.lower()).first()
    newest = rows.first()
    if newest is None or newest.ordinal is None:
        return None
    return rows.filter(ordinal__lte=newest.ordinal - back).first() or rows.last()


def grid_read(*, project: Project, metric: str, base: Build | None, text: str, sort: str) -> Grid:
    """The grid of one metric, narrowed to the series that match every word of `text`."""
    found = series_find(project=project, text=text, facets={"metric": metric}).filter(branch=project.branch)
    count = found.count()
    points = Measurement.objects.filter(series=OuterRef("pk")).order_by("-ordinal").values("value")
    before = points.filter(ordinal__lte=base.ordinal if base else 0)
    series = list(
        found.annotate(now=Subquery(points[:1]), old=Subquery(before[:1])).filter(now__isnull=False)[:_MOST]
    )
    models = sorted({row.model for row in series})
    table: dict[tuple[str, str, str, str], dict[str, Series]] = {}
    for row in series:
        names = (row.device_class, row.runner, row.precision, _shape_words(row, series))
        table.setdefault(names, {})[row.model] = row
    values = recent_values(series=series, builds=_SPARK_BUILDS)
    rows = [_grid_row(names, cells, models, metric, values) for names, cells in table.items()]
    rows.sort(key=lambda row: (-row.worst, row.names) if sort == "worst" else (0.0, row.names))
    return Grid(models, rows, base, max(0, count - len(series)))


def _shape_words(row: Series, series: Sequence[Series]) -> str:
    """The shape, with the suite where several suites have the metric."""
    return row.shape if len({other.suite for other in series}) == 1 else f"{row.shape} {row.suite}"


def _grid_row(
    names: tuple[str, str, str, str],
    found: dict[str, Series],
    models: Sequence[str],
    metric: str,
    values: dict[int, list[tuple[int, float]]],
) -> GridRow:
    cells = [
        cell_make(series_id=row.pk, metric=metric, value=row.now, base=row.old)  # type: ignore[attr-defined]
        if (row := found.get(model))
        else None
        for model in models
    ]
    line = geometric_means([values.get(row.pk, []) for row in found.values()])
    return GridRow(names, cells, sparkline(line, width=120, height=24))
