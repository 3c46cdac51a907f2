"""Suite `throughput`: offline, as many samples as fit in the time, and the batch where more brings nothing.

On a GPU the seconds are those between events on the runner's stream, with launches enqueued ahead so
that the GPU never waits for the host.  On the processor they are those of single calls.
"""

from __future__ import annotations

import importlib
import time

import numpy as np

from benchmarks.collector import collector_paused
from benchmarks.runners.base import Runner
from benchmarks.serving.search import knee_find
from benchmarks.stability import timing_remarks
from benchmarks.stats import Interval, median_bootstrap
from benchmarks.suites.base import Bench, Findings, runner_of
from benchmarks.suites.capturing import capture_try, is_out_of_memory
from benchmarks.timing import Timing, calls_time, calls_watched, latency_time

BLOCKS = 100  # short ones, so that most hold no switch to another process
PASSES = 5  # of a search over the batches, interleaved
FALLING = 2  # so many doublings in a row that bring far less than the best end the search
FALLEN_SHARE = 0.8  # of the best is far less: a noisy pass does not fall so far
PAIRS_AT_ONCE = 10  # of events, between two looks at the GPU's state
WARM_SHARE = 0.3
FEWEST_CALLS = 3  # in a pass on the processor


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
        rates = _gpu_rates(bench, runner, bench.case.batch, bench.case.duration_s)
        _throughput_add(bench, findings, rates)
    return findings


def block_rates(timing: Timing, batch: int) -> np.ndarray:
    """Samples per second of up to 100 blocks of as many calls each, in time's order: (blocks,)."""
    return _rates(timing.samples, batch)


def _rates(seconds: np.ndarray, batch: int) -> np.ndarray:
    """The same from the seconds of each call (n,)."""
    blocks = np.array_split(seconds, min(BLOCKS, seconds.size))
    return np.asarray([block.size * batch / block.sum() for block in blocks])


def _gpu_rates(bench: Bench, runner: Runner, batch: int, duration_s: float) -> np.ndarray:
    """Samples per second between each pair of events on the runner's stream (pairs,)."""
    events = importlib.import_module("benchmarks.gpu.events")  # torch: only where there is a GPU to time
    per_pair = events.launches_per_pair(runner.submit, runner.stream)

    def measure(seconds: float) -> np.ndarray:
        found: list[np.ndarray] = []
        end = time.perf_counter() + seconds
        while not found or time.perf_counter() < end:
            found.append(
                events.launches_time(runner.submit, runner.stream, pairs=PAIRS_AT_ONCE, per_pair=per_pair)
            )
            bench.gauge.read()
        rates: np.ndarray = batch / np.concatenate(found)
        return rates

    measure(duration_s * WARM_SHARE)
    return measure(duration_s)


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


def _knee_measure(bench: Bench, runner: Runner, findings: Findings, largest: int) -> None:
    """Every doubling of the batch, five times each, in turns, so that a slow minute meets all batches.

    `throughput_best` is the highest of the batches' medians, `best_batch` the smallest batch within
    5 % of it: the knee.  The doubling ends at `largest`, at the end of the memory, or when two
    doublings in a row brought less than 80 % of the best.
    """
    with collector_paused():
        batches, first = _first_pass(bench, runner, findings, largest)
        passes = [first]
        for _ in range(PASSES - 1):
            passes.append([_pass_measure(bench, runner, findings, batch) for batch in batches])
    medians = np.asarray([[np.median(rates) for rates in one] for one in passes])
    for column, batch in enumerate(batches):
        rates = np.concatenate([one[column] for one in passes])
        point = findings.at(batch=batch, largest_batch=None)
        _throughput_add(bench, point, rates, median_bootstrap(medians[:, column]))
    knee, best = knee_find(medians, tuple(batches))
    findings.add("best_batch", knee)
    findings.add("throughput_best", best, medians.max(axis=1))
    _cost_add(bench, findings, best)
    if knee.value == batches[-1] and batches[-1] * 2 > largest and len(batches) > 1:
        findings.remark(
            "knee-beyond",
            f"the largest batch tried, {batches[-1]}, is the best by more than 5 %: the knee may lie beyond; "
            "raise largest_batch",
        )


def _first_pass(
    bench: Bench, runner: Runner, findings: Findings, largest: int
) -> tuple[list[int], list[np.ndarray]]:
    """The batches to go through and the first pass over them; the case's own batch must fit."""
    batches: list[int] = []
    rates: list[np.ndarray] = []
    batch = bench.case.batch
    while not batches or (batch <= largest and not _is_falling(rates)):
        try:
            rates.append(_pass_measure(bench, runner, findings, batch))
        except Exception as error:  # each library has an error of its own for the memory's end
            if not batches or not is_out_of_memory(error):
                raise
            findings.remark(
                "out-of-memory",
                f"the memory ended at batch {batch}; {batches[-1]} is the largest that ran, and the knee is "
                f"sought up to there ({type(error).__name__}: {error}"[:400]
                + ")",
            )
            return batches, rates
        batches.append(batch)
        batch *= 2
    if batch <= largest:
        findings.remark(
            "fell-early",
            f"batches {batches[-2]} and {batches[-1]} both brought less than {FALLEN_SHARE:.0%} of the best; "
            f"larger ones, up to {largest}, were not tried",
        )
    return batches, rates


def _is_falling(rates: list[np.ndarray]) -> bool:
    medians = [float(np.median(one)) for one in rates]
    return len(medians) > FALLING and max(medians[-FALLING:]) < FALLEN_SHARE * max(medians)


def _pass_measure(bench: Bench, runner: Runner, findings: Findings, batch: int) -> np.ndarray:
    """Samples per second of the blocks of one pass at one batch (blocks,)."""
    runner.bind(batch)
    share_s = bench.case.duration_s / PASSES
    if runner.stream is not None:
        capture_try(runner, findings)
        return _gpu_rates(bench, runner, batch, share_s)
    calls_time(runner.infer, 0.0, fewest=FEWEST_CALLS)
    seconds, _, disturbed = calls_watched(runner.infer, share_s, FEWEST_CALLS)
    quiet = seconds[~disturbed]
    return _rates(quiet if quiet.size >= FEWEST_CALLS else seconds, batch)
