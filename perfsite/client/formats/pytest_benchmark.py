"""pytest-benchmark's JSON (`--benchmark-json`; pytest-benchmark.readthedocs.io).  Times in seconds.  Pure."""

from __future__ import annotations

from typing import Any

from perfsite.client.formats.reading import document, number, part
from perfsite.client.measured import Measured, Reading, median_interval

WHAT = "a file of pytest --benchmark-json"


def read(text: str, name: str) -> Reading:
    """The median of each benchmark's rounds; its interval where the rounds themselves were saved.

    Raises:
        FormatError: it is another format.
    """
    told = document(text, what=WHAT)
    rows = [
        _row(one, f"benchmark {index}")
        for index, one in enumerate(part(told, "benchmarks", list, where=WHAT))
    ]
    machine = told.get("machine_info") or {}
    facts = {
        "cpu_model": (machine.get("cpu") or {}).get("brand_raw"),
        "python": machine.get("python_version"),
        "os": machine.get("system"),
        "kernel": machine.get("release"),
    }
    return Reading(rows, f"pytest-benchmark {told.get('version', '')}".rstrip(), facts)


def _row(one: Any, where: str) -> Measured:
    stats = part(one, "stats", dict, where=where)
    full = part(one, "name", str, where=where)
    label, _, params = full.partition("[")
    value, low, high = number(stats, "median", where=f"{where} ({full})"), None, None
    data = stats.get("data")
    if isinstance(data, list) and len(data) > 1:
        value, low, high = median_interval(data)
    return Measured(
        model=label[:100],
        runner="pytest-benchmark",
        shape=params.removesuffix("]")[:200] or "b1",
        suite=str(one.get("group") or "latency")[:30],
        metric="latency_p50",
        value=value,
        ci_low=low,
        ci_high=high,
        n=int(number(stats, "rounds", where=f"{where} ({full})")),
    )
