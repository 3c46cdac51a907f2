"""Host latency: warm up until it is stable, then measure by duration and count."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.collector import collector_paused

FEWEST_SAMPLES = 20
WARM_SHARE = 0.3  # of the measuring time, at most
WARM_STABLE = 0.02  # two blocks in a row agree to this
WARM_BLOCKS = 4


@dataclass(frozen=True)
class Timing:
    """Samples of one measuring window.

    `samples` (n,) holds seconds per call; `wall_s` is the window and `cpu_s` the processor time
    that this process used in it; `stable` says whether the warm-up settled before its time ended.
    """

    samples: np.ndarray
    wall_s: float
    cpu_s: float
    stable: bool


def calls_time(call: Callable[[], None], duration_s: float, fewest: int = 1) -> np.ndarray:
    """Seconds of each call (n,), for at least `duration_s` and at least `fewest` calls."""
    clock = time.perf_counter_ns
    marks = [clock()]
    end = marks[0] + int(duration_s * 1e9)
    while marks[-1] < end or len(marks) <= fewest:
        call()
        marks.append(clock())
    return np.diff(np.asarray(marks, dtype=np.int64)) * 1e-9


def warm_up(call: Callable[[], None], duration_s: float) -> bool:
    """Call until two blocks in a row agree within 2 % on their median, for a share of `duration_s`.

    Returns whether that was reached.
    """
    block_s = duration_s * WARM_SHARE / WARM_BLOCKS / 2
    calls_time(call, 0.0, fewest=2)
    before: float | None = None
    end = time.perf_counter() + duration_s * WARM_SHARE
    while True:
        now = float(np.median(calls_time(call, block_s, fewest=3)))
        if before is not None and abs(now - before) <= WARM_STABLE * before:
            return True
        if time.perf_counter() >= end:
            return False
        before = now


def latency_time(call: Callable[[], None], duration_s: float) -> Timing:
    """Warm up, then time single calls back to back for `duration_s` seconds."""
    with collector_paused():
        stable = warm_up(call, duration_s)
        cpu, wall = time.process_time(), time.perf_counter()
        samples = calls_time(call, duration_s, fewest=FEWEST_SAMPLES)
        return Timing(
            samples=samples,
            wall_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
            stable=stable,
        )
