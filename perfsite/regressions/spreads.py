"""A series whose values scatter more than they did while the level stayed: a remark, told on its page."""

from __future__ import annotations

from dataclasses import dataclass

from perfsite.regressions.detection.spread import MEMORY, Spread, spread_grown
from perfsite.regressions.levels import level_starts
from perfsite.results.metrics import metric_row
from perfsite.results.models import Measurement, Series
from perfsite.runs.models import Build


@dataclass(frozen=True)
class SpreadRemark:
    """The scatter grew at about this build."""

    build: Build
    spread: Spread


def spread_remark(*, series: Series) -> SpreadRemark | None:
    """Where the scatter of the present level grew, by its stable points; None where it did not.

    A counted metric has no scatter, and one that only describes is not judged.
    """
    metric = metric_row(series.metric)
    if metric is None or metric.better is None or metric.exact:
        return None
    start = max(level_starts(series_id=series.pk), default=0)
    points = Measurement.objects.filter(
        series=series, ordinal__gte=start, n__gte=metric.samples, unstable=False
    )
    newest = points.order_by("-ordinal").values_list("build_id", "value")[:MEMORY]
    rows = list(newest)[::-1]
    found = spread_grown([value for _, value in rows])
    return None if found is None else SpreadRemark(Build.objects.get(pk=rows[found.start][0]), found)
