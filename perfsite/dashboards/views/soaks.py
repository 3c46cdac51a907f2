"""A soak over time: memory, rate, heat, power and clocks, what leaks and how long memory lasts."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from benchmarks.soak_readings import SoakReadings
from perfsite.dashboards.charts.soak import HEIGHT, WIDTH, segment_marks, soak_strips
from perfsite.dashboards.formatting import change_text, duration_text
from perfsite.dashboards.selectors.access import job_get
from perfsite.dashboards.selectors.jobs import LiveJob
from perfsite.dashboards.selectors.soaks import counters_told, lasts_text, soak_case, soak_readings
from perfsite.dashboards.views.reading import page
from perfsite.dashboards.views.twins import Table, page_render
from perfsite.runs.models import Job

_TABLE_ROWS = 40


@require_safe
@page
def soak(request: HttpRequest, pk: int) -> HttpResponse:
    """The page of the soak that a job ran."""
    job = job_get(request=request, pk=pk)
    readings = soak_readings(job)
    report = getattr(job, "report", None)
    context = {
        "project": job.run.build.project,
        "tab": "builds",
        "job": job,
        "live": LiveJob(job, None),
        "case": soak_case(job),
        "build": job.run.build,
        "remarks": report.remarks if report is not None else [],
        "readings": readings,
        **(_drawn(readings) if readings is not None else {}),
    }
    return page_render(request, "dashboards/soak.html", context, tables=lambda: _tables(job, readings))


def _drawn(readings: SoakReadings) -> dict[str, Any]:
    end_s = readings.at_s[-1]
    names, rows = _columns(readings), _rows(readings)
    step = max(1, -(-len(rows) // _TABLE_ROWS))
    return {
        "strips": soak_strips(readings),
        "marks": segment_marks(readings),
        "size": (WIDTH, HEIGHT),
        "times": [duration_text(end_s * share / 4, parts=1) if share else "0" for share in range(5)],
        "lasted": duration_text(end_s),
        "iterations": sum(readings.iterations[part][-1] for part in readings.parts()),
        "drift": change_text(readings.drift, readings.drift_low, readings.drift_high),
        "counters": counters_told(readings),
        "lasts": lasts_text(readings),
        "columns": names,
        "rows": rows[::step],
        "has_gpu": bool(readings.gauge.at_s),
    }


def _columns(readings: SoakReadings) -> list[str]:
    return ["seconds", "iterations", "iterations_per_second", *(row.name for row in readings.counters)]


def _rows(readings: SoakReadings) -> list[tuple[Any, ...]]:
    values = (row.values for row in readings.counters)
    return list(zip(readings.at_s, readings.iterations, readings.rates, *values, strict=True))


def _tables(job: Job, readings: SoakReadings | None) -> list[Table]:
    """The readings, the GPU's, the segments, the slopes; seconds, bytes, °C, W and Hz."""
    if readings is None:
        return [Table("readings", ("state",), [(job.state,)])]
    gauge = readings.gauge
    heat = zip(gauge.at_s, gauge.temperature, gauge.power, gauge.sm_clock, strict=True)
    segments = [(row.first, row.start_s, row.ended, row.reason) for row in readings.segments]
    slopes = [(row.name, row.verdict, row.slope, row.slope_low, row.slope_high) for row in readings.counters]
    ends = (readings.out_of_memory_s, readings.out_of_memory_low_s, readings.out_of_memory_high_s)
    told = [("out_of_memory_s", *ends), ("drift", readings.drift, readings.drift_low, readings.drift_high)]
    return [
        Table("readings", _columns(readings), _rows(readings)),
        Table("gpu", ("seconds", "temperature", "power", "sm_clock"), heat),
        Table("segments", ("first_reading", "start_s", "ended", "reason"), segments),
        Table("slopes", ("counter", "verdict", "slope", "slope_low", "slope_high"), slopes),
        Table("told", ("name", "value", "low", "high"), told),
    ]
