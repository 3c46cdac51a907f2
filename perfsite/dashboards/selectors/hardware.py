"""GPUs side by side: what a case costs on each, which of them meet a bound, how healthy they are."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from django.db.models import OuterRef, Subquery

from perfsite.dashboards.charts.capacity import Load
from perfsite.dashboards.charts.sparkline import Sparkline, sparkline
from perfsite.results.models import Measurement, Report, Series
from perfsite.runs.models import Project, Worker

# the columns of the comparison, in reading order
COLUMNS = (
    "gpu_compute_time_p50",
    "latency_p50",
    "latency_p99",
    "throughput",
    "tokens_per_second",
    "energy_per_sample",
    "cost_per_thousand_tokens",
    "cost_per_million_samples",
    "gpu_peak_memory",
)
FACETS = ("model", "runner", "precision")
_RATE = re.compile(r"(?:^|,)qps=([0-9.]+)")
_BOUND = re.compile(r"(?:^|,)p99_bound_ms=([0-9.]+)")
_CANARY_REPORTS = 40
_REPORTS_READ = 2000
_ILL = 0.03  # this much slower than the GPU itself was, or than its like: worth a look


@dataclass(frozen=True)
class HardwareRow:
    """One device class: for each column the newest value and its series, None where it was not measured."""

    device_class: str
    cells: Sequence[tuple[str, float, int] | None]


def _newest(project: Project, chosen: dict[str, str]) -> list[Series]:
    newest = Measurement.objects.filter(series=OuterRef("pk")).order_by("-ordinal").values("value")[:1]
    rows = Series.objects.filter(project=project, branch=project.branch, **chosen)
    return list(rows.annotate(now=Subquery(newest)).filter(now__isnull=False))


def hardware_choices(*, project: Project) -> dict[str, list[str]]:
    """What each part of a case can be in this project."""
    found: dict[str, set[str]] = defaultdict(set)
    rows = Series.objects.filter(project=project, branch=project.branch).order_by()
    for model, runner, precision, shape in rows.values_list(*FACETS, "shape").distinct():
        for name, value in zip(FACETS, (model, runner, precision), strict=True):
            found[name].add(value)
        if "," not in shape:
            found["shape"].add(shape)
    return {name: sorted(found[name]) for name in (*FACETS, "shape")}


def hardware_rows(
    *, project: Project, chosen: dict[str, str], shape: str
) -> tuple[list[str], list[HardwareRow]]:
    """The columns that any device has, and a row per device class with its newest values of the case."""
    table: dict[str, dict[str, tuple[str, float, int]]] = defaultdict(dict)
    for row in _newest(project, {**chosen, "shape": shape}):
        table[row.device_class][row.metric] = (row.metric, row.now, row.pk)  # type: ignore[attr-defined]
    columns = [name for name in COLUMNS if any(name in cells for cells in table.values())]
    rows = [
        HardwareRow(name, [cells.get(column) for column in columns]) for name, cells in sorted(table.items())
    ]
    return columns, [row for row in rows if any(row.cells)]


def loads_read(*, project: Project, chosen: dict[str, str]) -> list[Load]:
    """The measured loads of a case on every device class: the p99 at each rate, the rate at each bound."""
    loads = []
    for row in _newest(project, {**chosen, "suite": "server"}):
        now = row.now  # type: ignore[attr-defined]
        rate, bound = _RATE.search(row.shape), _BOUND.search(row.shape)
        if row.metric == "server_latency_p99" and rate:
            loads.append(Load(row.device_class, float(rate[1]), now, row.pk))
        if row.metric == "server_qps_highest" and bound and now > 0:
            loads.append(Load(row.device_class, now, float(bound[1]) / 1e3, row.pk))
    return loads


@dataclass(frozen=True)
class Fitness:
    """How a worker's GPU does on the canary.  `against_itself` and `against_others` are relative: 0.07
    is slower.

    `others` counts GPUs of the same class on the same clock that it is held against.
    """

    worker: Worker
    seconds: float
    against_itself: float
    against_others: float | None
    others: int
    picture: Sparkline

    @property
    def is_ill(self) -> bool:
        """Whether it is slower than it was or than its like, beyond what a canary scatters."""
        return self.against_itself > _ILL or (self.against_others or 0.0) > _ILL


def _canary_values(most: int) -> dict[int, tuple[Worker, str, list[float]]]:
    """By worker its clock and its last readings, the oldest first, from the site's newest reports.

    One backward walk along the reports, however long ago a worker last brought a reading.
    """
    readings: dict[int, list[list[dict[str, Any]]]] = defaultdict(list)
    newest = Report.objects.order_by("-id").values_list("attempt__worker_id", "canary")[:_REPORTS_READ]
    for worker_id, row in newest:
        if row and len(readings[worker_id]) < _CANARY_REPORTS:
            readings[worker_id].append(row)
    found = {}
    for worker in Worker.objects.filter(pk__in=readings).order_by("device_class", "name")[:most]:
        rows = readings[worker.pk]
        clock = rows[0][0]["clock"] if rows else ""
        values = [min(entry["seconds"] for entry in row) for row in rows[::-1] if row[0]["clock"] == clock]
        if len(values) > 1:
            found[worker.pk] = (worker, clock, values)
    return found


def fitness_rows(*, most: int = 200) -> list[Fitness]:
    """Every worker whose reports bring canary readings, the ill ones first.

    A reading is the faster of before and after: what disturbed one of them is no illness.  The GPU's own
    past is the older half of its last readings.
    """
    found = _canary_values(most)
    now = {key: median(values[-5:]) for key, (_, _, values) in found.items()}
    rows_found = []
    for key, (worker, clock, values) in found.items():
        like = [
            now[other]
            for other, (peer, peer_clock, _) in found.items()
            if other != key and (peer.device_class, peer_clock) == (worker.device_class, clock)
        ]
        before = median(values[: max(1, len(values) // 2)])
        rows_found.append(
            Fitness(
                worker,
                now[key],
                now[key] / before - 1,
                now[key] / min(like) - 1 if like else None,
                len(like),
                sparkline(list(enumerate(values)), width=140, height=26),
            )
        )
    return sorted(rows_found, key=lambda row: not row.is_ill)
