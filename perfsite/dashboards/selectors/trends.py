"""Series as rows of the Trends page: a small line, where it moved, what it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perfsite.dashboards.charts.sparkline import Sparkline, sparkline
from perfsite.dashboards.selectors.verdicts import series_marks
from perfsite.results.models import Series
from perfsite.results.selectors import recent_values

_BUILDS = 60


@dataclass(frozen=True)
class TrendRow:
    """One series in a list.  `change` is the last value against the first one drawn, 0.05 is +5 %."""

    series: Series
    picture: Sparkline
    last: float | None
    change: float | None
    tone: str


def trend_rows(*, series: Sequence[Series], width: int = 260, height: int = 34) -> list[TrendRow]:
    """The series with their newest points, in two queries for any number of them."""
    values = recent_values(series=series, builds=_BUILDS)
    marks = series_marks(series_ids=[row.pk for row in series])
    ordinals = [ordinal for points in values.values() for ordinal, _ in points]
    span = (min(ordinals), max(ordinals)) if ordinals else None
    rows = []
    for row in series:
        points, moved = values[row.pk], marks.get(row.pk, {})
        shown = {ordinal: kind for ordinal, kind in moved.items() if points and ordinal >= points[0][0]}
        picture = sparkline(points, marks=shown, width=width, height=height, span=span)
        last = points[-1][1] if points else None
        change = points[-1][1] / points[0][1] - 1 if len(points) > 1 and points[0][1] else None
        tone = shown[max(shown)] if shown else "same"
        rows.append(TrendRow(row, picture, last, change, tone))
    return rows


@dataclass(frozen=True)
class TrendGroup:
    """The rows of one model."""

    model: str
    rows: Sequence[TrendRow]


def trend_groups(*, rows: Sequence[TrendRow]) -> list[TrendGroup]:
    """The rows by model, in the order they came."""
    models = dict.fromkeys(row.series.model for row in rows)
    return [TrendGroup(model, [row for row in rows if row.series.model == model]) for model in models]
