"""Google Benchmark's JSON, https://github.com/google/benchmark/blob/main/docs/user_guide.md.  Pure.

One run of a benchmark tells a mean over its iterations, several repetitions a median over them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from perfsite.client.formats.reading import document, number, part
from perfsite.client.measured import FormatError, Measured, Reading, median_interval

WHAT = "a file of --benchmark_out_format=json"
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def read(text: str, name: str) -> Reading:
    """The time of each benchmark, and its items per second where it counts them.

    Raises:
        FormatError: it is another format, or a time unit that is not known.
    """
    told = document(text, what=WHAT)
    runs: dict[str, list[Any]] = defaultdict(list)
    for index, one in enumerate(part(told, "benchmarks", list, where=WHAT)):
        if not isinstance(one, dict):
            raise FormatError(f"benchmark {index} is no object; is this {WHAT}?")
        if one.get("run_type", "iteration") == "iteration" and not one.get("error_occurred"):
            runs[str(one.get("run_name") or part(one, "name", str, where=f"benchmark {index}"))].append(one)
    rows = [row for label, many in runs.items() for row in _rows(label, many)]
    context = told.get("context") or {}
    facts = {
        "cpu_count": context.get("num_cpus"),
        "cpu_mhz": context.get("mhz_per_cpu"),
        "library_build_type": context.get("library_build_type"),
        "cpu_scaling": context.get("cpu_scaling_enabled"),
    }
    version = context.get("library_version", "")
    return Reading(rows, f"google-benchmark {version}".rstrip(), facts)


def _rows(label: str, many: list[Any]) -> list[Measured]:
    model, _, shape = label.partition("/")
    told_of = partial(
        Measured, model=model[:100], runner="google-benchmark", shape=shape[:200] or "b1", suite="latency"
    )
    times = [number(one, "real_time", where=label) * _seconds(one, label) for one in many]
    rows = [_told(told_of, "latency_p50" if len(many) > 1 else "latency_mean", times)]
    if all("items_per_second" in one for one in many):
        rows.append(
            _told(told_of, "throughput", [number(one, "items_per_second", where=label) for one in many])
        )
    return rows


def _seconds(one: Any, label: str) -> float:
    unit = one.get("time_unit", "ns")
    if unit not in _SECONDS:
        raise FormatError(f"{label} is in the time unit {unit!r}; known: {', '.join(_SECONDS)}")
    return _SECONDS[unit]


def _told(told_of: Callable[..., Measured], metric: str, values: list[float]) -> Measured:
    value, low, high = median_interval(values)
    bounds = (low, high) if len(values) > 1 else (None, None)
    return told_of(metric=metric, value=value, ci_low=bounds[0], ci_high=bounds[1], n=len(values))
