"""Every metric, one row each: a new metric is one new row.

Units are SI: seconds, bytes, samples per second.  `relevant` is the smallest relative change worth
telling and `grain` the smallest absolute one (in the metric's unit); a change must exceed both.
`exact` metrics are counted, not timed: the same bits give the same number, so one report settles it.
A metric whose `better` is None describes the measurement and is never judged.  `samples` is how many
raw samples a value needs to be judged: below a percentile p with fewer than 10/(1 - p) samples lie
fewer than ten slower ones, and its value is little more than luck.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher"]


def _three_digits(value: float) -> str:
    """`value` with three significant digits and no exponent."""
    if value == 0:
        return "0"
    magnitude = abs(value)
    digits = 2 if magnitude >= 1 else 3
    for bound in (10, 100):
        if magnitude >= bound:
            digits -= 1
    if magnitude < 1:
        return f"{value:.3g}"
    return f"{value:.{max(digits, 0)}f}"


def format_seconds(value: float) -> str:
    """Seconds for people: `12.3 ms`."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if abs(value) >= factor:
            return f"{_three_digits(value / factor)} {unit}"
    return f"{_three_digits(value / 1e-9)} ns"


def format_bytes(value: float) -> str:
    """Bytes for people, in powers of 1,024: `12.3 MiB`."""
    for factor, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(value) >= factor:
            return f"{_three_digits(value / factor)} {unit}"
    return f"{value:.0f} B"


def format_rate(value: float) -> str:
    """Samples per second for people: `1,234 /s`."""
    return f"{value:,.0f} /s" if abs(value) >= 1000 else f"{_three_digits(value)} /s"


def format_ratio(value: float) -> str:
    """A ratio as a percentage: `12.3 %`."""
    return f"{_three_digits(value * 100)} %"


def format_count(value: float) -> str:
    """A count for people: `12,345`."""
    return f"{value:,.0f}"


@dataclass(frozen=True)
class Metric:
    """One row: what a number means and when a change of it matters."""

    name: str
    title: str
    unit: str
    better: Better | None
    relevant: float
    grain: float
    format: Callable[[float], str]
    exact: bool = False
    samples: int = 1


_ROWS = (
    Metric("latency_p50", "Latency p50", "s", "lower", 0.03, 0.0, format_seconds),
    Metric("latency_p90", "Latency p90", "s", "lower", 0.04, 0.0, format_seconds, samples=100),
    Metric("latency_p99", "Latency p99", "s", "lower", 0.05, 0.0, format_seconds, samples=1000),
    Metric("cpu_time_p50", "Processor time p50", "s", "lower", 0.03, 0.0, format_seconds),
    Metric("latency_cv", "Latency spread (CV)", "1", None, 0.0, 0.0, format_ratio),
    Metric("gpu_compute_time_p50", "GPU compute time p50", "s", "lower", 0.01, 0.0, format_seconds),
    Metric("gpu_compute_time_p99", "GPU compute time p99", "s", "lower", 0.03, 0.0, format_seconds),
    Metric("throughput", "Throughput", "1/s", "higher", 0.03, 0.0, format_rate),
    # allocators grow by steps: 1 MiB and more in onnxruntime's arena and in glibc's heap
    Metric("host_peak_memory", "Host peak memory", "B", "lower", 0.03, 2.0**22, format_bytes),
    Metric("gpu_peak_memory", "GPU peak memory", "B", "lower", 0.01, 2.0**20, format_bytes),
    Metric("parameter_count", "Parameters", "1", "lower", 0.0, 0.0, format_count, exact=True),
    Metric("model_size", "ONNX size", "B", "lower", 0.0, 4096.0, format_bytes, exact=True),
    # timed once a job: only what a person would notice counts
    Metric("export_time", "Export time", "s", "lower", 0.25, 1.0, format_seconds),
    Metric("load_time", "Load time", "s", "lower", 0.25, 0.1, format_seconds),
    Metric("engine_build_success", "Engine build success", "1", "higher", 0.0, 0.0, format_count, exact=True),
    Metric("engine_build_time", "Engine build time", "s", "lower", 0.25, 1.0, format_seconds),
    Metric("engine_size", "Engine size", "B", "lower", 0.005, 4096.0, format_bytes),
    Metric("engine_layers", "Engine layers", "1", None, 0.0, 0.0, format_count),
    Metric("cpu_utilisation", "CPU utilisation", "1", None, 0.0, 0.0, format_ratio),
    Metric("gpu_utilisation", "GPU utilisation", "1", None, 0.0, 0.0, format_ratio),
)

METRICS: dict[str, Metric] = {row.name: row for row in _ROWS}


def metric_get(name: str) -> Metric:
    """The row called `name`.

    Raises:
        ValueError: there is no such metric; the message lists the known ones.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise ValueError(f"unknown metric {name!r}; known: {', '.join(METRICS)}") from None
