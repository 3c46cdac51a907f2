"""Generations of equal length, timed token by token, and what they tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.load import Load, load_between, load_mark
from benchmarks.preemption import Mark
from benchmarks.stability import timing_remarks
from benchmarks.stats import median_bootstrap, percentile
from benchmarks.suites.base import Bench, Findings
from benchmarks.timing import FEWEST_SAMPLES, KEPT_SHARE, Timing

FEWEST_GENERATIONS = 2


@dataclass
class Clock:
    """Host seconds of each call, and whether another process disturbed it."""

    seconds: list[float] = field(default_factory=list)
    disturbed: list[bool] = field(default_factory=list)

    def time(self, call: Callable[[], object]) -> float:
        """Call, and keep how long it took."""
        before, start = Mark.now(), time.perf_counter_ns()
        call()
        wall = time.perf_counter_ns() - start
        self.disturbed.append(Mark.now().is_disturbed(before, wall))
        self.seconds.append(wall * 1e-9)
        return self.seconds[-1]

    def clean(self) -> tuple[np.ndarray, bool]:
        """Seconds without the disturbed calls (n,), and true; all of them and false when those were most."""
        seconds, disturbed = np.asarray(self.seconds), np.asarray(self.disturbed, dtype=bool)
        kept = int((~disturbed).sum()) >= KEPT_SHARE * seconds.size
        return (seconds[~disturbed] if kept else seconds), kept


@dataclass
class Generations:
    """What some generations of equal length took: first tokens, later tokens, whole ones (seconds)."""

    tokens: int
    first: Clock = field(default_factory=Clock)
    later: Clock = field(default_factory=Clock)
    whole: list[float] = field(default_factory=list)
    own_share: float = 0.0
    load: Load | None = None


def generations_repeat(
    generate: Callable[[Generations], None], tokens: int, budget_s: float, threads: int
) -> Generations:
    """Generations until the budget is used, at least two."""
    made = Generations(tokens)
    load, cpu, started = load_mark(), time.process_time(), time.perf_counter()
    while len(made.whole) < FEWEST_GENERATIONS or time.perf_counter() - started < budget_s:
        begun = time.perf_counter()
        generate(made)
        made.whole.append(time.perf_counter() - begun)
    span = time.perf_counter() - started
    made.own_share = (time.process_time() - cpu) / span / threads
    made.load = load_between(load, load_mark(), threads)
    return made


def generations_report(bench: Bench, point: Findings, made: Generations, peak_bytes: int) -> None:
    """Times, rates and costs of the generations; `peak_bytes` is the most memory held in them."""
    first, _ = made.first.clean()
    rates = bench.case.batch * made.tokens / np.asarray(made.whole)
    rate = median_bootstrap(rates)
    point.add("time_to_first_token", percentile(first, 0.50), first)
    point.add("tokens_per_second", rate, rates)
    point.add("tokens_per_mebibyte", rate.value / (peak_bytes / 2**20))
    if bench.price_per_hour is not None:
        point.add("cost_per_thousand_tokens", bench.price_per_hour / 3600 / rate.value * 1000)
    point.add("cpu_utilisation", made.own_share)
    later, kept = made.later.clean()
    if later.size == 0:
        return
    point.add("inter_token_latency_p50", percentile(later, 0.50), later)
    point.add("inter_token_latency_p99", percentile(later, 0.99), later)
    disturbed = sum(made.later.disturbed)
    timing = Timing(later, later, made.own_share, made.load, stable=True, disturbed=disturbed, kept=kept)
    timing_remarks(point, replace(timing, kept=kept or later.size < FEWEST_SAMPLES))
