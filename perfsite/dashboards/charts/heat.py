"""A grid of changes as a heat map: which shade a change gets (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from perfsite.results.metrics import metric_row

_STRONG = 4.0  # times the relevant change


@dataclass(frozen=True)
class Cell:
    """A case of the grid.  `relative` is its change against the baseline, 0.05 is +5 %; None without one."""

    series_id: int
    relative: float | None
    value: float
    tone: str


def cell_make(*, series_id: int, metric: str, value: float, base: float | None) -> Cell:
    """The cell of a series: same, or worse and better in two shades by the metric's relevant change."""
    if not base:
        return Cell(series_id, None, value, "none")
    relative = value / base - 1
    row = metric_row(metric)
    if row is None or row.better is None:
        return Cell(series_id, relative, value, "same")
    if abs(relative) < row.relevant or abs(value - base) <= row.grain:
        return Cell(series_id, relative, value, "same")
    word = "worse" if (relative > 0) == (row.better == "lower") else "better"
    strength = "2" if abs(relative) >= _STRONG * max(row.relevant, 0.005) else "1"
    return Cell(series_id, relative, value, f"{word}{strength}")
