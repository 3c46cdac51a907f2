"""Suite `throughput`: offline, as many samples as fit in the time, and the batch where more brings nothing.

On a GPU the seconds are those between events on the runner's stream, with launches enqueued ahead so
that the GPU never waits for the host: the same pairs that the latency suite times.  On the processor
they are those of single calls.
"""

from __future__ import annotations

import importlib
import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.collector import collector_paused
from benchmarks.runners.base import Runner
from benchmarks.serving.search import knee_find
from benchmarks.stability import gpu_warm_up_remark, held_back_remark, timing_remarks
from benchmarks.stats import Interval, median_bootstrap
from benchmarks.suites.base import Bench, Findings, runner_of
from benchmarks.suites.capturing import capture_try, is_out_of_memory
from benchmarks.timing import Timing, calls_time, calls_watched, latency_time

BLOCKS = 100  # short ones, so that most hold no switch to another process
PASSES = 5  # of a search over the batches, interleaved
FEWER_PASSES = 3  # where binding takes longer than measuring: a median still leaves one slow pass out
FALLING = 2  # so many doublings in a row that bring far less than the best end the search
FALLEN_SHARE = 0.8  # of the best is far less: a noisy pass does not fall so far
WARM_SHARE = 0.3
FEWEST_CALLS = 5  # in a pass on the processor
WARM_CALLS = 2
PASS_PAIRS = 10  # in a pass on a GPU at least
SHORTEST_PAIR_S = 0.002  # an event's grain is then 0.05 % of it, and the knee is sought to 5 %


def throughput_measure(bench: Bench) -> Findings:
    """Samples per second at the case's batch, or at each batch up to `largest_batch`.

    One batch: the median over equal blocks of the window.  Several: see `_knee_measure`.
    """
    runner = runner_of(bench)
    findings = Findings(bench.case)
    largest = bench.case.option("largest_batch")
    if largest is not None:
        _knee_measure(bench, runner, findings, largest)
    elif runner.stream is None:
        timing = latency_time(runner.infer, bench.case.duration_s, bench.assets.threads)
        _throughput_add(bench, findings, block_rates(timing, bench.case.batch))
        findings.add("cpu_utilisation", timing.own_share)
        timing_remarks(findings, timing)
    else:
        capture_try(runner, findings)
        _gpu_measure(bench, runner, findings)
    return findings


def block_rates(timing: Timing, batch: int) -> np.ndarray:
    """Samples per second of up to 100 blocks of as many calls each, in time's order: (blocks,)."""
    return _rates(timing.samples, batch)


def _rates(seconds: np.ndarray, batch: int) -> np.ndarray:
    """The same from the seconds of each call (n,)."""
    blocks = np.array_split(seconds, min(BLOCKS, seconds.size))
    return np.asarray([block.size * batch / block.sum() for block in blocks])


def _gpu_measure(bench: Bench, runner: Runner, findings: Findings) -> None:
    """One batch on a GPU: the pairs of launches of the latency suite, as a rate."""
    events, timing = _gpu_rooms()
    per_pair = events.launches_per_pair(runner.submit, runner.stream)
    duration_s = bench.case.duration_s
    warm = timing.warm_time(
        runner.submit, runner.stream, per_pair, duration_s * WARM_SHARE, duration_s, bench.gauge
    )
    _throughput_add(bench, findings, bench.case.batch / warm.seconds)
    held_back_remark(findings, warm.dropped, warm.dropped + warm.seconds.size, kept=warm.kept)
    gpu_warm_up_remark(findings, stable=warm.stable)


def _gpu_rooms() -> tuple[Any, Any]:
    """`events` and `timing`, which import torch: only where there is a GPU to time."""
    return importlib.import_module("benchmarks.gpu.events"), importlib.import_module("benchmarks.gpu.timing")


def _throughput_add(
    bench: Bench, findings: Findings, rates: np.ndarray, rate: Interval | None = None
) -> None:
    """`rate`, by default the median of the raw `rates`, and what a million samples cost at it."""
    found = rate or median_bootstrap(rates)
    findings.add("throughput", found, rates)
    _cost_add(bench, findings, found)


def _cost_add(bench: Bench, findings: Findings, rate: Interval) -> None:
    if bench.price_per_hour is None:
        return
    million = bench.price_per_hour / 3600 * 1e6
    low = None if rate.high is None else million / rate.high
    high = None if rate.low is None else million / rate.low
    findings.add("cost_per_million_samples", Interval(million / rate.value, low, high))


@dataclass
class _Passes:
    """Measures one batch after the other, each for `share_s` seconds, and knows what that cost."""

    bench: Bench
    runner: Runner
    findings: Findings
    share_s: float
    bound: int | None = None
    bind_s: float = 0.0
    spent_s: float = 0.0
    per_pair: dict[int, int] = field(default_factory=dict)
    held: int = 0
    pairs: int = 0
    kept: bool = True

    def measure(self, batch: int) -> np.ndarray:
        """Samples per second of the blocks or pairs of one pass at one batch (blocks,)."""
        begun = time.perf_counter()
        if batch != self.bound:
            self.bound = None
            self.runner.bind(batch)
            capture_try(self.runner, self.findings)
            self.bound = batch
        ready = time.perf_counter()
        rates = self._calls(batch) if self.runner.stream is None else self._pairs(batch)
        self.bind_s += ready - begun
        self.spent_s += time.perf_counter() - ready
        return rates

    def _calls(self, batch: int) -> np.ndarray:
        calls_time(self.runner.infer, 0.0, fewest=WARM_CALLS)
        seconds, _, disturbed = calls_watched(self.runner.infer, self.share_s, FEWEST_CALLS)
        quiet = seconds[~disturbed]
        return _rates(quiet if quiet.size >= FEWEST_CALLS else seconds, batch)

    def _pairs(self, batch: int) -> np.ndarray:
        events, timing = _gpu_rooms()
        submit, stream = self.runner.submit, self.runner.stream
        if batch not in self.per_pair:
            pair_s = float(np.clip(self.share_s / PASS_PAIRS, SHORTEST_PAIR_S, events.PAIR_SECONDS))
            self.per_pair[batch] = events.launches_per_pair(submit, stream, pair_s)
        warm = timing.warm_time(
            submit, stream, self.per_pair[batch], self.share_s * WARM_SHARE, self.share_s, self.bench.gauge
        )
        self.held += warm.dropped
        self.pairs += warm.seconds.size + (warm.dropped if warm.kept else 0)
        self.kept &= warm.kept
        rates: np.ndarray = batch / warm.seconds
        return rates


def _knee_measure(bench: Bench, runner: Runner, findings: Findings, largest: int) -> None:
    """Every doubling of the batch in five passes, forth and back, so that a slow minute meets all batches.

    All together take the case's duration, or what five calls or ten pairs in each pass take.  Where a
    pass turns round its batch stays bound.  Where the binds of the first pass (a session opened, a graph
    recorded) took longer than its measuring, there are three passes, of longer turns.

    `throughput_best` is the highest of the batches' medians, `best_batch` the smallest batch within
    5 % of it: the knee.  The doubling ends at `largest`, at the end of the memory, or when two
    doublings in a row brought less than 80 % of the best.
    """
    most = 1 + max(0, math.floor(math.log2(largest / bench.case.batch)))
    passes = _Passes(bench, runner, findings, bench.case.duration_s / PASSES / most)
    with collector_paused():
        batches, first = _first_pass(passes, largest)
        found = [first, *_later_passes(passes, batches)]
    medians = np.asarray([[np.median(rates) for rates in one] for one in found])
    for column, batch in enumerate(batches):
        rates = np.concatenate([one[column] for one in found])
        point = findings.at(batch=batch, largest_batch=None)
        _throughput_add(bench, point, rates, median_bootstrap(medians[:, column]))
    knee, best = knee_find(medians, tuple(batches))
    findings.add("best_batch", knee)
    findings.add("throughput_best", best, medians.max(axis=1))
    _cost_add(bench, findings, best)
    held_back_remark(findings, passes.held, passes.pairs, kept=passes.kept)
    if knee.value == batches[-1] and batches[-1] * 2 > largest and len(batches) > 1:
        findings.remark(
            "knee-beyond",
            f"the largest batch tried, {batches[-1]}, is the best by more than 5 %: the knee may lie beyond; "
            "raise largest_batch",
        )


def _later_passes(passes: _Passes, batches: list[int]) -> list[list[np.ndarray]]:
    """The other passes over the batches that ran, each the other way round; rates in the batches' order."""
    count = FEWER_PASSES if passes.bind_s > passes.spent_s else PASSES
    passes.share_s = passes.bench.case.duration_s / count / len(batches)
    found = []
    for turn in range(1, count):
        order = batches[::-1] if turn % 2 else batches
        rates = {batch: passes.measure(batch) for batch in order}
        found.append([rates[batch] for batch in batches])
    return found


def _first_pass(passes: _Passes, largest: int) -> tuple[list[int], list[np.ndarray]]:
    """The batches to go through and the first pass over them; the case's own batch must fit."""
    batches: list[int] = []
    rates: list[np.ndarray] = []
    batch = passes.bench.case.batch
    while not batches or (batch <= largest and not _is_falling(rates)):
        try:
            rates.append(passes.measure(batch))
        except Exception as error:  # each library has an error of its own for the memory's end
            if not batches or not is_out_of_memory(error):
                raise
            passes.findings.remark(
                "out-of-memory",
                f"the memory ended at batch {batch}; {batches[-1]} is the largest that ran, and the knee is "
                f"sought up to there ({type(error).__name__}: {error}"[:400]
                + ")",
            )
            return batches, rates
        batches.append(batch)
        batch *= 2
    if batch <= largest:
        passes.findings.remark(
            "fell-early",
            f"batches {batches[-2]} and {batches[-1]} both brought less than {FALLEN_SHARE:.0%} of the best; "
            f"larger ones, up to {largest}, were not tried",
        )
    return batches, rates


def _is_falling(rates: list[np.ndarray]) -> bool:
    medians = [float(np.median(one)) for one in rates]
    return len(medians) > FALLING and max(medians[-FALLING:]) < FALLEN_SHARE * max(medians)
