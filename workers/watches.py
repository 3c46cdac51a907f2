"""What the pairs of a comparison tell: of each watched metric by the one rule, of all others besides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.cases import Case
from benchmarks.metrics import Metric, metric_get
from benchmarks.report import Comparison, Outcome, Remark, Report
from benchmarks.runners.table import ROWS
from benchmarks.sequential import Budget, SequentialTest
from workers.disturbance import disturbances
from workers.messages import Order, Pair

ENGINE_PAIRS = 3
"""With fewer rebuilt engines the luck of one build would be confirmed as code."""
ENGINE_RUNNERS = frozenset(
    {name for name, row in ROWS.items() if row.loads == "engine"} | {"onnxruntime_tensorrt"}
)

_BESIDES = "it was measured besides, so no pair was run for its sake"

Key = tuple[int, str]
"""The index of a case in the order, and a metric."""


@dataclass
class Watches:
    """The metrics that the order must decide, and the pairs so far."""

    order: Order
    pairs: list[Pair]
    tests: dict[Key, SequentialTest]

    @classmethod
    def of(cls, order: Order) -> Watches:
        """The watches of an order, before its first pair.

        Raises:
            ValueError: a watch names no case of the order, or a metric that nobody knows.
        """
        suspected = (*order.suspected, *(None,) * len(order.watch))
        tests = {}
        for key, step in zip(order.watch, suspected, strict=False):
            if not 0 <= key[0] < len(order.cases):
                raise ValueError(f"watch {key} names no case of this order, which has {len(order.cases)}")
            test = SequentialTest(_metric_of(order, key), suspected=step)
            tests[key] = test
            test.budget = _budget(order, key[0], test.metric, rebuilt=True)
        return cls(order, [], tests)

    @property
    def cases(self) -> tuple[Case, ...]:
        """The cases that another pair is needed of."""
        wanted = {key[0] for key, test in self.tests.items() if not test.is_over}
        return tuple(self.order.cases[index] for index in sorted(wanted))

    @property
    def good_first(self) -> bool:
        """Whether the good build goes first in the next pair: A B B A of the pairs that count."""
        return sum(not pair.disturbed for pair in self.pairs) % 2 == 0

    def take(self, pair: Pair) -> None:
        """Take a pair: each watch that is not over looks at it, unless its case was disturbed.

        Raises:
            ValueError: it does not tell a watched metric, or tells a value that cannot be compared.
        """
        values = {(index, metric): (a, b) for index, metric, a, b in pair.values}
        disturbed = {index for index, _ in pair.disturbed}
        for key, test in self.tests.items():
            if test.is_over:
                continue
            if key not in values:
                label = self.order.cases[key[0]].label
                raise ValueError(f"pair {pair.number} does not tell {key[1]} of {label}")
            if key[0] not in disturbed:
                a, b = values[key]
                test.take([a], [b])
        self.pairs.append(pair)
        rebuilt = not self._engines_same()
        for (index, _), test in self.tests.items():
            test.budget = _budget(self.order, index, test.metric, rebuilt=rebuilt)

    def comparisons(self, why: str) -> Iterator[Comparison]:
        """What the report says: of the watches, then of what the blocks measured besides.

        `why` no further pair was run, where a watch asked for one.  Of a watch of which no pair counts there
        is none.
        """
        for (index, name), test in self.tests.items():
            if test.result is None:
                continue
            ended = "; ".join(filter(None, (why, self.disturbed_words(index))))
            yield test.conclude(ended).as_comparison(
                self.order.cases[index], metric_get(name), test.a, test.b
            )
        budget = Budget(first=1, most=self.order.max_pairs, alpha=self.order.alpha)
        for (index, name), (a, b) in self._besides().items():
            test = SequentialTest(_metric_of(self.order, (index, name)), budget=budget)
            test.take(a, b)
            yield test.conclude(why or _BESIDES).as_comparison(self.order.cases[index], test.metric, a, b)

    def disturbed_words(self, index: int) -> str:
        """How many pairs of a case do not count, and why the last did not; empty when all count."""
        reasons = [why for pair in self.pairs for place, why in pair.disturbed if place == index]
        if not reasons:
            return ""
        return f"{len(reasons)} of {len(self.pairs)} pairs were disturbed and do not count: {reasons[-1]}"

    def outcomes(self) -> Iterator[Outcome]:
        """How each case ended: skipped where no pair of a watch counts, with the reason."""
        empty = {index for (index, _), test in self.tests.items() if test.result is None}
        for index, case in enumerate(self.order.cases):
            reason = self.disturbed_words(index) if index in empty else ""
            yield Outcome(case=case, status="skipped" if reason else "done", reason=reason)

    def remarks(self) -> Iterator[Remark]:
        """A remark on each case of which a pair does not count."""
        for index, case in enumerate(self.order.cases):
            if words := self.disturbed_words(index):
                yield Remark(code="pairs-disturbed", sentence=words, case=case)

    def _besides(self) -> dict[Key, tuple[list[float], list[float]]]:
        """The values of what is not watched: the site may come to ask about it later."""
        rows: dict[Key, tuple[list[float], list[float]]] = {}
        for pair in self.pairs:
            disturbed = {index for index, _ in pair.disturbed}
            for index, metric, a, b in pair.values:
                if (index, metric) not in self.tests and index not in disturbed:
                    first, second = rows.setdefault((index, metric), ([], []))
                    first.append(a)
                    second.append(b)
        return rows

    def _engines_same(self) -> bool:
        """Whether every pair's two engines were the same, bit for bit: then a build has no luck."""
        digests = [pair.engine_sha256 for pair in self.pairs]
        return all(good is not None and good == suspect for good, suspect in digests)


def pair_make(number: int, order: Order, good: Report, suspect: Report) -> Pair:
    """A finished pair from the two blocks' reports: every judged metric that both of them tell."""
    before = {(one.case, one.metric): one.value for one in good.measurements}
    places = {case: index for index, case in enumerate(order.cases)}
    values = tuple(
        (places[one.case], one.metric, before[one.case, one.metric], one.value)
        for one in suspect.measurements
        if one.case in places
        and (one.case, one.metric) in before
        and metric_get(one.metric).better is not None
    )
    return Pair(
        number=number,
        values=values,
        onnx_sha256=(good.onnx_sha256, suspect.onnx_sha256),
        engine_sha256=(engine_digest(good), engine_digest(suspect)),
        disturbed=tuple(disturbances(order.cases, good, suspect)),
    )


def engine_digest(report: Report) -> str | None:
    """The digest of the engine that a block built or was given, of all of them together; None without one."""
    files = sorted((ref.name, ref.sha256) for ref in report.artifacts if ref.kind == "engine")
    if len(files) <= 1:
        return files[0][1] if files else report.engine_sha256
    return hashlib.sha256("\n".join(f"{name} {sha256}" for name, sha256 in files).encode()).hexdigest()


def _metric_of(order: Order, key: Key) -> Metric:
    index, name = key
    metric = metric_get(name)
    own = order.case_relevant[index] if index < len(order.case_relevant) else {}
    return replace(metric, relevant={**order.relevant, **own}.get(name, metric.relevant))


def _budget(order: Order, index: int, metric: Metric, *, rebuilt: bool) -> Budget:
    """How many pairs a watch may ask for; a timed one needs three where each builds its engines anew."""
    lucky = rebuilt and not metric.exact and builds_engine(order, order.cases[index])
    return Budget(first=ENGINE_PAIRS if lucky else 1, most=order.max_pairs, alpha=order.alpha)


def builds_engine(order: Order, case: Case) -> bool:
    """Whether each block of a comparison builds an engine of its own for the case."""
    return case.runner in ENGINE_RUNNERS and order.source.kind != "engine"
