"""Replicas: every GPU runs the whole model by itself."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.collector import collector_paused
from benchmarks.parallel.ranks import Rank
from benchmarks.parallel.window import Timeline
from benchmarks.runners.base import Assets, Runner
from benchmarks.runners.table import runner_open
from benchmarks.suites.capturing import capture_reason
from benchmarks.timing import warm_up

LOAD_S = 600.0  # to load and warm up, at most
MARK_S = 0.020  # between two stamps: waiting for the GPU there costs it less than 0.1 %
MOST_PER_MARK = 10_000
MARKS_PROBED = 3


def replica_measure(rank: Rank, runner_name: str, assets: Assets, batch: int, duration_s: float) -> Timeline:
    """Load, wait for the others, and infer for `duration_s` seconds.

    Raises:
        BenchmarkError: the runner cannot load or run here, or another rank did not come.
    """
    with runner_open(runner_name, assets) as runner:
        runner.bind(batch)
        runner.infer()
        no_graph = capture_reason(runner)
        warm_up(runner.infer, duration_s)
        per_mark = _calls_per_mark(runner)
        with collector_paused():
            rank.meet("measure", LOAD_S)
            stamps = [time.perf_counter_ns()]
            end = stamps[0] + int(duration_s * 1e9)
            while stamps[-1] < end:
                _calls(runner, per_mark)
                stamps.append(time.perf_counter_ns())
    return Timeline(np.asarray(stamps, dtype=np.int64), per_mark * batch, no_graph)


def _calls(runner: Runner, count: int) -> None:
    for _ in range(count):
        runner.submit()
    runner.wait()


def _calls_per_mark(runner: Runner) -> int:
    started = time.perf_counter()
    _calls(runner, MARKS_PROBED)
    each = (time.perf_counter() - started) / MARKS_PROBED
    return int(np.clip(round(MARK_S / max(each, 1e-9)), 1, MOST_PER_MARK))
