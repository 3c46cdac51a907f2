"""The smallest relative changes worth telling, as a project's rule has them.  Pure.

A key is `METRIC`, or `CASE:METRIC` where CASE is a pattern (`globs.py`) of `model/runner/precision/shape`.
The most specific key holds: one with a case goes before the one without, and of several whose patterns
match the longest.  Equally long ones that one case could match are tied, and no rule may have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations

from benchmarks.cases import Case
from benchmarks.metrics import Metric
from perfsite.runs.cases import case_label
from perfsite.runs.globs import glob_compile, globs_meet

PARTS = 4
"""Model, runner, precision and shape."""


@dataclass(frozen=True)
class Relevant:
    """The table of a rule: key -> part of 1, 0.05 is 5 %."""

    table: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def _rows(self) -> dict[str, list[tuple[re.Pattern[str] | None, float]]]:
        """Of each metric the patterns with their parts, the most specific first; no pattern is any case."""
        found: dict[str, list[tuple[re.Pattern[str] | None, float]]] = {}
        for key in sorted(self.table, key=lambda key: len(key_read(key)[0]), reverse=True):
            case, metric = key_read(key)
            found.setdefault(metric, []).append((glob_compile(case) if case else None, self.table[key]))
        return found

    @property
    def has_cases(self) -> bool:
        """Whether a key names a case."""
        return any(key_read(key)[0] for key in self.table)

    def part(self, metric: str, *, case: str) -> float | None:
        """The part of 1 that holds for a metric of a case, by its label; None where no key is about it."""
        rows = self._rows.get(metric, ())
        return next((part for glob, part in rows if glob is None or glob.fullmatch(case)), None)

    def metric_of(self, metric: Metric, *, case: str) -> Metric:
        """The metric with the smallest change that is worth telling of this case."""
        part = self.part(metric.name, case=case)
        return metric if part is None else replace(metric, relevant=part)

    def told(self, cases: Sequence[Case]) -> tuple[dict[str, float], tuple[dict[str, float], ...]]:
        """What a worker is told, which knows no patterns: parts by metric, and a table a case beside.

        What is the same for all cases stands by metric; the tables have only the rest, and there are none
        where nothing is left: a worker of an earlier release, which reads no tables, decides alike then.
        """
        by_metric = {key: part for key, part in self.table.items() if not key_read(key)[0]}
        if not self.has_cases or not cases:
            return by_metric, ()
        each = [self._parts(case_label(case)) for case in cases]
        same = {name: part for name, part in each[0].items() if all(one.get(name) == part for one in each)}
        by_metric |= same
        rest = tuple(
            {name: part for name, part in one.items() if by_metric.get(name) != part} for one in each
        )
        return by_metric, rest if any(rest) else ()

    def _parts(self, case: str) -> dict[str, float]:
        found = {name: self.part(name, case=case) for name in self._rows}
        return {name: part for name, part in found.items() if part is not None}


def key_read(key: str) -> tuple[str, str]:
    """The pattern of a key, empty where it has none, and its metric."""
    case, _, metric = key.rpartition(":")
    return case, metric


def key_words(key: str) -> str:
    """A key for people: `latency_p50`, `latency_p50 of resnet50/**`."""
    case, metric = key_read(key)
    return f"{metric} of {case}" if case else metric


def case_check(pattern: str) -> None:
    """Take a pattern that can match a case.

    Raises:
        ValueError: it is no pattern, or has too few parts; the message says which and how to mend it.
    """
    glob_compile(pattern)
    parts = pattern.split("/")
    if len(parts) < PARTS and "**" not in parts and parts[-1]:
        raise ValueError(
            f"pattern {pattern!r} matches no case: a case is model/runner/precision/shape; "
            f"'{parts[0]}/**' is every case of a model"
        )


def keys_tied(keys: Iterable[str]) -> tuple[str, str] | None:
    """Two keys of which none is the more specific for a case that both match; None where there are none."""
    by_rank: dict[tuple[str, int], list[str]] = {}
    for key in keys:
        case, metric = key_read(key)
        if case:
            by_rank.setdefault((metric, len(case)), []).append(key)
    pairs = (pair for rank in by_rank.values() for pair in combinations(sorted(rank), 2))
    return next(((a, b) for a, b in pairs if globs_meet(key_read(a)[0], key_read(b)[0])), None)
