"""Numbers with units as people write them, for example `80 ms` or `24 GB`: pure."""

from __future__ import annotations

import math
import re

from benchmarks.metrics import Metric

# to the metric's own unit, by that unit; an empty word is a bare number
UNITS: dict[str, dict[str, float]] = {
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0},
    "B": {
        "B": 1.0,
        **{f"{prefix}B": 10.0**power for prefix, power in (("k", 3), ("M", 6), ("G", 9), ("T", 12))},
        **{f"{prefix}iB": 2.0**power for prefix, power in (("K", 10), ("M", 20), ("G", 30), ("T", 40))},
    },
    "1/s": {"": 1.0, "/s": 1.0, "1/s": 1.0, "qps": 1.0, "QPS": 1.0},
    "1": {"": 1.0, "%": 0.01},
    "J": {"J": 1.0, "mJ": 1e-3, "µJ": 1e-6, "uJ": 1e-6, "kJ": 1e3},
    "1/J": {"": 1.0, "/J": 1.0, "1/J": 1.0},
    "W": {"W": 1.0, "kW": 1e3},
    "°C": {"°C": 1.0, "C": 1.0},
}
_QUANTITY = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)\s*([^\d\s]*)")


def quantity_read(written: str | float, metric: Metric) -> float:
    """A bound in the metric's unit; a text has its own unit, a bare number only where there is no doubt.

    Raises:
        ValueError: it is no number, or its unit is none of the metric's.
    """
    units = UNITS[metric.unit]
    match = _QUANTITY.fullmatch(str(written).strip())
    if match is None:
        raise ValueError(f"{str(written)[:40]!r} is no number with a unit; write it as {_example(units)!r}")
    number, unit = match.groups()
    if unit not in units:
        known = ", ".join(word for word in units if word)
        what = f"unit {unit[:20]!r}" if unit else "a number without a unit"
        raise ValueError(
            f"{what} does not fit {metric.name}; write it as {_example(units)!r} (known: {known})"
        )
    value = float(number) * units[unit]
    if not math.isfinite(value):  # the database keeps no infinity
        raise ValueError(f"{str(written)[:40]!r} is larger than any number here")
    return value


def _example(units: dict[str, float]) -> str:
    return f"80 {list(units)[1]}" if "" not in units else "180"
