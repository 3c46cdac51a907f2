"""The CSV that Triton's `perf_analyzer -f` writes: a row per load, latencies in µs.  Pure.

It does not say how many requests are behind a percentile, so its tails are charted and not judged.
"""

from __future__ import annotations

import csv
import io
from functools import partial

from perfsite.client.measured import FormatError, Measured, Reading

WHAT = "a CSV of perf_analyzer -f"
_LOADS = {"Concurrency": "concurrency", "Request Rate": "rate"}
_LATENCIES = {"p50 latency": "latency_p50", "p90 latency": "latency_p90", "p99 latency": "latency_p99"}


def read(text: str, name: str) -> Reading:
    """Throughput and latencies of each load.

    Raises:
        FormatError: it is another format, or names no model.
    """
    if not name:
        raise FormatError("perf_analyzer's CSV does not name the model; give it with --name")
    table = csv.DictReader(io.StringIO(text))
    columns = table.fieldnames or []
    load = next((column for column in _LOADS if column in columns), None)
    if load is None or "Inferences/Second" not in columns:
        raise FormatError(f"this is not {WHAT}: no column {' or '.join(_LOADS)} beside Inferences/Second")
    rows = [row for line, fields in enumerate(table, 2) for row in _rows(name, load, fields, line)]
    if not rows:
        raise FormatError(f"{WHAT} has no row: was anything measured?")
    return Reading(rows, "perf_analyzer")


def _rows(name: str, load: str, fields: dict[str, str], line: int) -> list[Measured]:
    shape = f"b1,{_LOADS[load]}={_number(fields, load, line):g}"
    told = partial(Measured, model=name[:100], runner="triton", shape=shape, suite="server")
    rows = [told(metric="throughput", value=_number(fields, "Inferences/Second", line))]
    for column, metric in _LATENCIES.items():
        if fields.get(column):
            rows.append(told(metric=metric, value=_number(fields, column, line) / 1e6))
    return rows


def _number(fields: dict[str, str], column: str, line: int) -> float:
    try:
        return float(fields[column])
    except (KeyError, TypeError, ValueError):
        raise FormatError(f"line {line}: {column} is {fields.get(column)!r}, not a number") from None
