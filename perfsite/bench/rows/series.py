"""Reading the longest series whole, beside the bare SQL of the same columns."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from perfsite.bench.driver import driver_open, marked
from perfsite.bench.table import Row, row_at_most
from perfsite.core.errors import PerfsiteError
from perfsite.results.models import Measurement, Series
from perfsite.results.selectors import series_points

MOST = 2.0
_SQL = """
SELECT m.ordinal, m.value, m.ci_low, m.ci_high, m.n, m.unstable, m.build_id, j.run_id, b.sha, b.subject,
       b.author_name, b.committed_at
FROM results_measurement m JOIN runs_job j ON j.id = m.job_id JOIN runs_build b ON b.id = m.build_id
WHERE m.series_id = ? ORDER BY m.ordinal
"""


def series_measure(seconds: float) -> list[Row]:
    """The row."""
    series = Series.objects.filter(project__slug="history").order_by("id")[0]  # all are equally long
    with driver_open() as plain:

        def bare() -> list[Any]:
            return list(plain.execute(marked(_SQL), (series.pk,)).fetchall())

        def service() -> list[Any]:
            return list(series_points(series=series))

        if len(bare()) != len(service()):
            raise PerfsiteError("the selector and the bare SQL read different points")
        times = _medians({"site": service, "floor": bare}, seconds)
    size = Measurement.objects.filter(series=series).count()
    return [
        row_at_most(
            f"series of {size:,} points read",
            times["site"] * 1e3,
            "ms",
            floor=times["floor"] * 1e3,
            most=MOST,
        )
    ]


def _medians(sides: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """The median time of each side, in seconds, taken in turns."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or not found["site"]:
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            found[name].append(time.perf_counter() - started)
    return {name: sorted(values)[len(values) // 2] for name, values in found.items()}
