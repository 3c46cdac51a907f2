"""Two sets of points held against each other: changes, verdicts, geometric means (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from perfsite.results.metrics import metric_row

KINDS = ("regressed", "improved", "same", "unknown")


@dataclass(frozen=True)
class Side:
    """A point of one side, in the metric's unit."""

    series_id: int
    build_id: int
    value: float
    low: float | None
    high: float | None
    n: int
    unstable: bool
    environment_id: int | None

    @property
    def log_half(self) -> float | None:
        """Half the width of the interval of the value's logarithm; None when it is not known."""
        if self.low is None or self.high is None or self.low <= 0:
            return None
        return math.log(self.high / self.low) / 2


@dataclass(frozen=True)
class Pair:
    """One case and metric on both sides.  `case` are the names both share, `metric` what was measured."""

    case: Mapping[str, str]
    metric: str
    base: Side
    new: Side

    @property
    def environments(self) -> tuple[int | None, int | None]:
        """What both sides were measured in."""
        return self.base.environment_id, self.new.environment_id

    @property
    def log(self) -> float | None:
        """The logarithm of new over base; None where a value is not positive."""
        if self.base.value <= 0 or self.new.value <= 0:
            return None
        return math.log(self.new.value / self.base.value)

    @property
    def half(self) -> float | None:
        """Half the width of its interval: the two sides' add in quadrature (GUM 5.1.2)."""
        widths = (self.base.log_half, self.new.log_half)
        return None if None in widths else math.hypot(*(width for width in widths if width is not None))

    @property
    def change(self) -> tuple[float | None, float | None, float | None]:
        """The relative change with its interval; 0.05 is +5 %."""
        if self.log is None:
            return None, None, None
        if self.half is None:
            return math.expm1(self.log), None, None
        return math.expm1(self.log), math.expm1(self.log - self.half), math.expm1(self.log + self.half)

    @property
    def effect(self) -> float:
        """The size of the change over its noise; 0 where either is not known."""
        if self.log is None or not self.half:
            return abs(self.log or 0.0) * (1e3 if self.half == 0 else 0.0)
        return abs(self.log) / self.half

    @property
    def cost_log(self) -> float | None:
        """The change with more meaning worse, whatever the metric; None for what only describes."""
        row = metric_row(self.metric)
        if self.log is None or row is None or row.better is None:
            return None
        return self.log if row.better == "lower" else -self.log

    @property
    def kind(self) -> str:
        """`regressed` or `improved` when it is beyond its interval and big enough to tell."""
        row, cost = metric_row(self.metric), self.cost_log
        if row is None or cost is None or self.base.unstable or self.new.unstable:
            return "unknown"
        exact = row.exact or (self.half == 0.0)
        if self.half is None and not exact:
            return "unknown"
        small = (
            abs(self.new.value - self.base.value) <= row.grain or abs(math.expm1(abs(cost))) < row.relevant
        )
        if small or abs(cost) <= (self.half or 0.0):
            return "same"
        return "regressed" if cost > 0 else "improved"


@dataclass(frozen=True)
class Mean:
    """A geometric mean of changes, more being worse, with its interval and how many it is over."""

    relative: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class Group:
    """The pairs of one model, the surest change first."""

    name: str
    pairs: Sequence[Pair]
    mean: Mean | None
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Comparison:
    """Everything that two sides share, by model; `only_base` and `only_new` count what they do not."""

    groups: Sequence[Group]
    counts: Mapping[str, int]
    mean: Mean | None
    only_base: int
    only_new: int
    pairs: Sequence[Pair] = field(repr=False, default=())


def mean_of(pairs: Iterable[Pair]) -> Mean | None:
    """The geometric mean over judged pairs; None when there are none.

    The interval is that of the mean of the logarithms; pairs without one take it away.
    """
    known = [(pair.cost_log, pair.half) for pair in pairs]
    logs = [(log, half) for log, half in known if log is not None]
    if not logs:
        return None
    middle = sum(log for log, _ in logs) / len(logs)
    if any(half is None for _, half in logs):
        return Mean(math.expm1(middle), None, None, len(logs))
    width = math.hypot(*(half for _, half in logs if half is not None)) / len(logs)
    return Mean(math.expm1(middle), math.expm1(middle - width), math.expm1(middle + width), len(logs))


Points = Mapping[tuple[str, ...], Side]


def sides_compare(base: Points, new: Points, *, names: Sequence[str], by: str = "model") -> Comparison:
    """Hold two sides against each other; the keys are the values of `names`, the last one the metric."""
    shared = [key for key in new if key in base]
    pairs = [Pair(dict(zip(names, key, strict=True)), key[-1], base[key], new[key]) for key in shared]
    pairs = [pair for pair in pairs if pair.cost_log is not None or pair.log is None]
    pairs.sort(key=lambda pair: (pair.case.get(by, ""), -pair.effect))
    groups = []
    for name, rows in groupby(pairs, key=lambda pair: pair.case.get(by, "")):
        found = list(rows)
        groups.append(Group(name, found, mean_of(found), counts_of(found)))
    groups.sort(key=lambda group: -max((pair.effect for pair in group.pairs), default=0.0))
    return Comparison(
        groups,
        counts_of(pairs),
        mean_of(pairs),
        sum(key not in new for key in base),
        sum(key not in base for key in new),
        pairs,
    )


def counts_of(pairs: Iterable[Pair]) -> dict[str, int]:
    """How many pairs there are of each kind."""
    kinds = [pair.kind for pair in pairs]
    return {kind: kinds.count(kind) for kind in KINDS}


def doubts_of(pair: Pair) -> list[str]:
    """What makes the two points hard to compare, besides their environments, in sentences."""
    told = []
    for word, side in (("base", pair.base), ("new", pair.new)):
        if side.unstable:
            told.append(f"the point of the {word} side is unstable")
        if side.log_half is None:
            told.append(f"the point of the {word} side has no interval")
    more, less = max(pair.base.n, pair.new.n), min(pair.base.n, pair.new.n)
    if more > 10 * less:
        told.append(f"{less:,} samples stand against {more:,}")
    return told


def row_values(pair: Pair) -> tuple[Any, ...]:
    """A pair as a row of the twin."""
    relative, low, high = pair.change
    return (*pair.case.values(), pair.base.value, pair.new.value, relative, low, high, pair.kind)
