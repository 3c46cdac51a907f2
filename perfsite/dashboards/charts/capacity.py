"""How many GPUs meet a bound on the p99 at a rate of requests: from measured points only (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Load:
    """A measured load of one device class: `p99_s` at `qps` requests a second.

    `received_at` is when its build came, None where that is not known.
    """

    device_class: str
    qps: float
    p99_s: float
    series_id: int
    received_at: datetime | None = None


@dataclass(frozen=True)
class Answer:
    """What one device class can do.  `count` is how many GPUs are needed, None when no point meets the bound.

    `qps` is the highest measured rate within the bound and `p99_s` its p99; without one, the lowest measured
    load stands there, as the reason.
    """

    device_class: str
    qps: float
    p99_s: float
    count: int | None
    series_id: int
    received_at: datetime | None


def capacity_answers(loads: Iterable[Load], *, bound_s: float, qps: float) -> list[Answer]:
    """For each device class the fewest GPUs that serve `qps` with a p99 of at most `bound_s`.

    Requests are shared out evenly, and no GPU is given more than was measured on one: nothing is
    extrapolated.
    """
    by_class: dict[str, list[Load]] = {}
    for load in loads:
        by_class.setdefault(load.device_class, []).append(load)
    answers = [_answer(rows, bound_s=bound_s, qps=qps) for rows in by_class.values()]
    return sorted(answers, key=lambda row: (row.count is None, row.count or 0, row.device_class))


def _answer(rows: Sequence[Load], *, bound_s: float, qps: float) -> Answer:
    able = [row for row in rows if row.p99_s <= bound_s]
    if not able:
        least = min(rows, key=lambda row: row.qps)
        return Answer(least.device_class, least.qps, least.p99_s, None, least.series_id, least.received_at)
    best = max(able, key=lambda row: row.qps)
    count = max(1, math.ceil(qps / best.qps))
    return Answer(best.device_class, best.qps, best.p99_s, count, best.series_id, best.received_at)
