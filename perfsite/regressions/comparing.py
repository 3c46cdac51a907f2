"""Two builds side by side: every metric that both have, with what is known about the newer one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from perfsite.regressions.verdicts import verdicts_newest
from perfsite.results.metrics import metric_row
from perfsite.results.models import Measurement, Series
from perfsite.runs.models import Build

_CASE = ("device_class", "split", "model", "runner", "precision", "shape", "suite", "metric")


@dataclass(frozen=True)
class Row:
    """One metric of one case of both builds.

    `change` is `worse`, `better`, `same` or `unclear`, told by the two 95 % intervals and the metric's
    relevant change; `verdict` is what the service decided about the newer build, empty for nothing.
    """

    series: Series
    base: Measurement
    new: Measurement
    relative: float | None
    change: str
    verdict: str


@dataclass(frozen=True)
class Comparing:
    """The rows, the largest change for the worse first; `ratio` is the geometric mean of the change.

    It is over the judged metrics with positive values, turned so that more than 1 is worse.
    """

    rows: list[Row]
    counts: dict[str, int]
    ratio: float | None
    only_base: int
    only_new: int


def builds_compare(*, base: Build, new: Build) -> Comparing:
    """What both builds were measured by; series of two branches are matched by their case."""
    before, after = _points(base), _points(new)
    verdicts = dict(verdicts_newest(build=new).values_list("series_id", "kind"))
    both = [(before[key], after[key]) for key in after if key in before]
    rows = [_row(a, b, verdicts.get(b.series_id, "")) for a, b in both]
    rows.sort(key=_badness, reverse=True)
    return Comparing(
        rows=rows,
        counts=dict(Counter(row.change for row in rows)),
        ratio=_ratio(rows),
        only_base=len(before.keys() - after.keys()),
        only_new=len(after.keys() - before.keys()),
    )


def _points(build: Build) -> dict[tuple[str, ...], Measurement]:
    rows = Measurement.objects.filter(build=build).select_related("series").order_by("id")
    return {tuple(getattr(row.series, name) for name in _CASE): row for row in rows}


def _row(base: Measurement, new: Measurement, verdict: str) -> Row:
    relative = new.value / base.value - 1.0 if base.value else None
    return Row(new.series, base, new, relative, _change(base, new, relative), verdict)


def _change(base: Measurement, new: Measurement, relative: float | None) -> str:
    """What the two intervals tell; a metric without a direction is never worse or better."""
    metric = metric_row(new.series.metric)
    if new.value == base.value:
        return "same"
    if metric is None or metric.better is None or relative is None:
        return "unclear"
    if abs(relative) <= metric.relevant or abs(new.value - base.value) <= metric.grain:
        return "same"
    if not metric.exact and not _apart(base, new):
        return "unclear"
    return "worse" if (relative > 0) == (metric.better == "lower") else "better"


def _apart(base: Measurement, new: Measurement) -> bool:
    """Whether the intervals do not touch; a point without one cannot tell."""
    low, high = sorted((base, new), key=lambda row: row.value)
    if low.ci_high is None or high.ci_low is None or low.unstable or high.unstable:
        return False
    return low.ci_high < high.ci_low


def _harm(row: Row) -> float | None:
    """The logarithm of the change, positive when it is for the worse; None where there is none to tell."""
    metric = metric_row(row.series.metric)
    if metric is None or metric.better is None or row.base.value <= 0 or row.new.value <= 0:
        return None
    moved = math.log(row.new.value / row.base.value)
    return moved if metric.better == "lower" else -moved


def _badness(row: Row) -> tuple[bool, bool, float]:
    return row.verdict == "regressed", row.change == "worse", _harm(row) or 0.0


def _ratio(rows: Sequence[Row]) -> float | None:
    harms = [harm for row in rows if (harm := _harm(row)) is not None]
    return math.exp(sum(harms) / len(harms)) if harms else None
