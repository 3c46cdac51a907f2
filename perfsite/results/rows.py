"""Rows as readers get them: plain values, no database behind them (pure)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class PointRow(NamedTuple):
    """A point with its commit.  `value`, `ci_low` and `ci_high` are in the metric's unit."""

    ordinal: int
    value: float
    ci_low: float | None
    ci_high: float | None
    n: int
    unstable: bool
    build_id: int
    run_id: int
    sha: str
    subject: str
    author: str
    committed_at: datetime | None


class BucketRow(NamedTuple):
    """Neighbouring points folded into one; `first` and `last` are their ordinals, `n` their number."""

    first: int
    last: int
    low: float
    high: float
    mean: float
    n: int


class Extent(NamedTuple):
    """Where a series begins and ends and how many points it has; no ordinals when it has none."""

    first: int | None
    last: int | None
    points: int
