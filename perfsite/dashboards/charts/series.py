"""A series as the chart's script wants it: columns of equal length, in the unit that is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from perfsite.results.metrics import metric_row
from perfsite.results.rows import BucketRow, PointRow

# display units by the metric's SI unit: the largest factor that the typical value reaches
_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "B": ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "1/s": ((1.0, "/s"),),
    "J": ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ")),
    "1/J": ((1.0, "/J"),),
    "W": ((1.0, "W"),),
    "°C": ((1.0, "°C"),),
}


@dataclass(frozen=True)
class Scale:
    """How values are shown: the metric's unit divided by `factor` is `unit`."""

    factor: float
    unit: str


@dataclass(frozen=True)
class Delta:
    """A relative change and, where both ends have an interval, its own; 0.05 is +5 %."""

    relative: float
    low: float | None
    high: float | None


def scale_for(metric: str, values: Sequence[float]) -> Scale:
    """The unit for a whole chart, chosen by the median of `values`, so that it is written once."""
    row = metric_row(metric)
    if row is None:
        return Scale(1.0, "")
    if row.format(0.5).endswith("%"):
        return Scale(0.01, "%")
    steps = _SCALES.get(row.unit)
    if steps is None:
        return Scale(1.0, "")
    typical = sorted(abs(value) for value in values)[len(values) // 2] if values else 1.0
    factor, unit = next((step for step in steps if typical >= step[0]), steps[-1])
    return Scale(factor, unit)


def delta_between(before: PointRow, after: PointRow) -> Delta | None:
    """The change from one point to the next, None when the first is not positive.

    The interval is that of the log ratio: the two half widths add in quadrature, as independent
    errors do (first-order propagation, GUM 5.1.2, JCGM 100:2008).
    """
    if before.value <= 0 or after.value <= 0:
        return None
    ratio = math.log(after.value / before.value)
    widths = [_log_half_width(before), _log_half_width(after)]
    if None in widths:
        return Delta(math.expm1(ratio), None, None)
    spread = math.hypot(*(width for width in widths if width is not None))
    return Delta(math.expm1(ratio), math.expm1(ratio - spread), math.expm1(ratio + spread))


def deltas_of(points: Sequence[PointRow]) -> list[Delta | None]:
    """Each point's change against the one before it; None for the first."""
    changes = [delta_between(before, after) for before, after in pairwise(points)]
    return [None, *changes] if points else []


def _log_half_width(point: PointRow) -> float | None:
    if point.ci_low is None or point.ci_high is None or point.ci_low <= 0:
        return None
    return math.log(point.ci_high / point.ci_low) / 2


def points_columns(points: Sequence[PointRow], *, metric: str) -> dict[str, Any]:
    """The points as columns of `len(points)` entries; values are divided by `scale.factor`."""
    scale = scale_for(metric, [point.value for point in points])
    deltas = deltas_of(points)
    return {
        "mode": "points",
        "unit": scale.unit,
        "factor": scale.factor,
        "x": [point.ordinal for point in points],
        "value": [_scaled(point.value, scale) for point in points],
        "low": [_scaled(point.ci_low, scale) for point in points],
        "high": [_scaled(point.ci_high, scale) for point in points],
        "n": [point.n for point in points],
        "unstable": [point.unstable for point in points],
        "sha": [point.sha[:7] for point in points],
        "subject": [point.subject for point in points],
        "author": [point.author for point in points],
        "time": [point.committed_at.isoformat() if point.committed_at else None for point in points],
        "delta": [_delta_row(delta) for delta in deltas],
        "run": [point.run_id for point in points],
        "build": [point.build_id for point in points],
    }


def level_rows(levels: Sequence[tuple[float, str, bool]], *, factor: float) -> list[dict[str, Any]]:
    """Service levels `(bound, words, is met)` as lines of a chart whose values are divided by `factor`."""
    return [{"y": bound / factor, "label": words, "met": is_met} for bound, words, is_met in levels]


def buckets_columns(buckets: Sequence[BucketRow], *, metric: str) -> dict[str, Any]:
    """A long series as columns: `low` and `high` are the smallest and largest value of each bucket."""
    scale = scale_for(metric, [bucket.mean for bucket in buckets])
    return {
        "mode": "buckets",
        "unit": scale.unit,
        "factor": scale.factor,
        "x": [(bucket.first + bucket.last) / 2 for bucket in buckets],
        "first": [bucket.first for bucket in buckets],
        "last": [bucket.last for bucket in buckets],
        "value": [_scaled(bucket.mean, scale) for bucket in buckets],
        "low": [_scaled(bucket.low, scale) for bucket in buckets],
        "high": [_scaled(bucket.high, scale) for bucket in buckets],
        "n": [bucket.n for bucket in buckets],
    }


def _scaled(value: float | None, scale: Scale) -> float | None:
    return None if value is None else value / scale.factor


def _delta_row(delta: Delta | None) -> list[float | None] | None:
    if delta is None:
        return None
    return [delta.relative, delta.low, delta.high]


def facts_changed(
    before: Mapping[str, object], after: Mapping[str, object]
) -> list[tuple[str, object, object]]:
    """The facts that differ between two environments, sorted by name: `(name, before, after)`."""
    names = sorted({*before, *after})
    return [
        (name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    ]


def facts_label(changes: Sequence[tuple[str, object, object]], *, most: int = 2) -> str:
    """Changed facts in a few words: `driver 570 → 580, 3 more`."""
    named = [f"{name} {_fact(old)} → {_fact(new)}" for name, old, new in changes[:most]]
    more = len(changes) - most
    return ", ".join([*named, f"{more} more"] if more > 0 else named)


def _fact(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:23]}…"
