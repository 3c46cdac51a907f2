"""A file of asv's results folder (version 2), https://asv.readthedocs.io.  Pure.

Times are medians in seconds, memory in bytes; for asv less is better of whatever is tracked.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from perfsite.client.formats.reading import document, part
from perfsite.client.measured import FormatError, Measured, Reading

WHAT = "a result file of asv"
_METRICS = {"time": "latency_p50", "timeraw": "latency_p50", "peakmem": "host_peak_memory"}
_OWN = ("mem", "track")  # in a unit of their own


def read(text: str, name: str) -> Reading:
    """Every benchmark at every set of parameters; what failed or was skipped is left out.

    Raises:
        FormatError: it is another format, or another version of it.
    """
    told = document(text, what=WHAT)
    columns, results = part(told, "result_columns", list, where=WHAT), part(told, "results", dict, where=WHAT)
    if told.get("version") != 2:
        raise FormatError(f"{WHAT} of version {told.get('version')!r}; version 2 is known")
    rows = [
        row
        for label, values in results.items()
        for row in _rows(label, dict(zip(columns, values, strict=False)))
    ]
    params = told.get("params") or {}
    facts = {"machine": params.get("machine"), "python": params.get("python"), "cpu_model": params.get("cpu")}
    facts |= {f"requirement {key}": value for key, value in (told.get("requirements") or {}).items()}
    return Reading(rows, "asv", facts, sha=str(told.get("commit_hash") or ""))


def _rows(label: str, fields: dict[str, Any]) -> list[Measured]:
    model, _, function = label.rpartition(".")
    kind, _, short = function.partition("_")
    metric = f"evaluate.lower.{function[:40]}" if kind in _OWN else _METRICS.get(kind)
    if metric is None:
        return []
    values = part(fields, "result", list, where=label)
    shapes = ["-".join(one) for one in product(*fields.get("params") or [])] or [""]
    counts = fields.get("stats_repeat") or [1] * len(values)
    return [
        Measured(
            model=(f"{model}.{short}" if model else short)[:100],
            runner="asv",
            shape=shape[:200] or "b1",
            metric=metric,
            value=float(value),
            n=int(count or 1),
        )
        for shape, value, count in zip(shapes, values, counts, strict=False)
        if isinstance(value, int | float) and value == value
    ]
