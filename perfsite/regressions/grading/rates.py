"""Shares with their exact intervals, and the kinds of series they are told for.  Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.metrics import EVALUATE, Metric
from perfsite.results.metrics import metric_row

_STEPS = 60  # halvings: far below what a page shows
_ONCE = 0.10  # relevant change from which a time is one that is taken once a job


@dataclass(frozen=True)
class Rate:
    """`count` of `total` with the 95 % Clopper-Pearson interval; all None where `total` is 0."""

    count: int
    total: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, order=True)
class Kind:
    """A kind of series: a group of metrics that wobble alike, on one device class."""

    group: str
    device_class: str


def rate_of(count: int, total: int, *, confidence: float = 0.95) -> Rate:
    """The share `count` / `total` with its exact interval (Clopper and Pearson 1934).

    Raises:
        ValueError: not 0 <= count <= total.
    """
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no share; count what is part of the total")
    if not total:
        return Rate(0, 0, None, None, None)
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if not count else _share_where(count - 1, total, 1.0 - tail)
    high = 1.0 if count == total else _share_where(count, total, tail)
    return Rate(count, total, count / total, low, high)


def _share_where(most: int, total: int, probability: float) -> float:
    """The share p at which `most` or fewer of `total` have this probability; it falls with p."""
    places = np.arange(most + 1)
    factors = np.log(total - places[1:] + 1) - np.log(places[1:])
    logs = np.concatenate(([0.0], np.cumsum(factors)))  # of the binomial coefficients
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        terms = logs + places * math.log(middle) + (total - places) * math.log1p(-middle)
        if float(np.exp(terms).sum()) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def kind_of(metric: str, device_class: str) -> Kind:
    """The kind of a series of this metric."""
    row = metric_row(metric)
    return Kind("other" if row is None else _group(row), device_class)


def _group(row: Metric) -> str:
    name, unit = row.name, row.unit
    if row.exact:
        return "counted"
    if name.startswith(("accuracy_", f"{EVALUATE}.")):
        return "quality"
    if unit in ("J", "1/J"):
        return "energy"
    if unit == "B":
        return "memory and sizes"
    if unit == "1/s" or name.startswith("cost_"):
        return "throughput"
    if unit != "s":
        return "other"
    if name.endswith(("_p90", "_p99")):
        return "tails"
    if name.startswith("gpu_compute_time"):
        return "GPU time"
    return "start and build" if row.relevant >= _ONCE else "latency"
