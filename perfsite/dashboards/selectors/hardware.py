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
# an option that says how much is asked for, not what runs
_LOAD = re.compile(r"(qps|p99_bound_ms)=(\d{1,12}(?:\.\d{1,12})?(?:e[+-]?\d{1,2})?)")
_CANARY_REPORTS = 40
_REPORTS_READ = 2000
_ILL = 0.03  # this much slower than the GPU itself was, or than its like: worth a look


@dataclass(frozen=True)
class HardwareRow:
    """One device class: for each column the newest value and its series, None where it was not measured."""

    device_class: str
    cells: Sequence[tuple[str, float, int] | None]


def shape_split(shape: str) -> tuple[str, dict[str, float]]:
    """A shape without its load, and the load: `b1,qps=50,size=224` is `b1,size=224` at `qps` 50."""
    kept, load = [], {}
    for word in shape.split(","):
        found = _LOAD.fullmatch(word)
        if found:
            load[found[1]] = float(found[2])
        else:
            kept.append(word)
    return ",".join(kept), load


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
        found["shape"].add(shape_split(shape)[0])
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


def loads_read(*, project: Project, chosen: dict[str, str], shape: str) -> list[Load]:
    """The measured loads of a case on every device class: the p99 at each rate, the rate at each bound.

    Of each device class only the points of the newest build that has stable ones: what an older one could
    do says nothing of this code.
    """
    steady = Measurement.objects.filter(series=OuterRef("pk"), unstable=False).order_by("-ordinal")
    metrics = ("server_latency_p99", "server_qps_highest")
    rows = Series.objects.filter(project=project, branch=project.branch, suite="server", **chosen)
    rows = rows.filter(metric__in=metrics).annotate(
        now=Subquery(steady.values("value")[:1]),
        ordinal=Subquery(steady.values("ordinal")[:1]),
        received_at=Subquery(steady.values("build__received_at")[:1]),
    )
    alike = [row for row in rows.filter(now__isnull=False) if shape_split(row.shape)[0] == shape]
    newest: dict[str, int] = defaultdict(int)
    for row in alike:
        newest[row.device_class] = max(newest[row.device_class], row.ordinal)
    found = [_load(row) for row in alike if row.ordinal == newest[row.device_class]]
    return [load for load in found if load is not None]


def _load(row: Any) -> Load | None:
    """The load that a series' point tells of; None where its shape does not say which."""
    load = shape_split(row.shape)[1]
    if row.metric == "server_latency_p99" and "qps" in load:
        return Load(row.device_class, load["qps"], row.now, row.pk, row.received_at)
    if row.metric == "server_qps_highest" and "p99_bound_ms" in load and row.now > 0:
        return Load(row.device_class, row.now, load["p99_bound_ms"] / 1e3, row.pk, row.received_at)
    return None


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
