"""Points as rows: one statement of the driver for a report's, for models cost much more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from django.db import connection

from perfsite.results.metrics import metric_is_judged
from perfsite.results.models import Measurement


class Point(NamedTuple):
    """A row of `Measurement`, its columns in this order."""

    series_id: int
    ordinal: int
    value: float
    ci_low: float | None
    ci_high: float | None
    n: int
    unstable: bool
    build_id: int
    job_id: int


_ROW = f"({', '.join(['%s'] * len(Point._fields))})"
_ROWS_AT_ONCE = 100  # SQLite takes no more than 999 parameters by default


def points_insert(points: Sequence[Point]) -> None:
    """Store points; where a series has one of this build already, that one stays."""
    with connection.cursor() as cursor:
        for start in range(0, len(points), _ROWS_AT_ONCE):
            rows = points[start : start + _ROWS_AT_ONCE]
            cursor.execute(
                f"INSERT INTO {Measurement._meta.db_table} ({', '.join(Point._fields)}) "  # noqa: S608 - our names
                f"VALUES {', '.join([_ROW] * len(rows))} ON CONFLICT (series_id, ordinal) DO NOTHING",
                list(chain.from_iterable(rows)),
            )


def points_counted(points: Sequence[Point], metrics: Sequence[str]) -> dict[str, int]:
    """What a report gave to series, as its row says it; `metrics` are the points', in their order."""
    return {
        "points": len(points),
        "judged": sum(map(metric_is_judged, metrics)),
        "unstable": sum(point.unstable for point in points),
    }
