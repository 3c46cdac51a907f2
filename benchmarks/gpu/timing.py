"""GPU time of a bound runner: warm, single and cold launches between events on its stream."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.gauge import Gauge, held_back
from benchmarks.gpu.events import (
    IN_FLIGHT,
    Pair,
    cold_launches_time,
    launches_per_pair,
    launches_time,
    spin_lead,
)
from benchmarks.runners.base import Runner

WARM_SHARE = 0.3  # of the measuring time, at most
WARM_STABLE = 0.001  # two blocks in a row agree to this: five times what a steady GPU varies by
WARM_PAIRS = 8
LEAD = IN_FLIGHT  # the first pairs, while the host gets ahead of the GPU: left out
SINGLES_SHARE = 0.2
COLD_SHARE = 0.15
FEWEST = 10
MOST_SINGLES = 5000
MOST_WINDOWS = 2.0  # held-back blocks are measured again until this many times the duration
GAUGE_EVERY_S = 0.05


@dataclass(frozen=True)
class Warm:
    """Seconds per launch of warm pairs (n,), each the mean of its launches, back to back.

    `dropped` pairs fell into a time in which the GPU was held back and were measured again; when too
    few others were left `kept` is false and none was dropped.  `stable` says whether the warm-up
    settled before its time ended.
    """

    seconds: np.ndarray
    stable: bool
    dropped: int
    kept: bool


@dataclass(frozen=True)
class GpuTiming:
    """GPU seconds of one inference, copies left out.

    `warm` (n,) are means over the `per_pair` launches between two events, back to back; `single` (m,)
    one launch each, for the tail; `cold` (k,) one launch each after the L2 cache was overwritten.
    `stable`, `dropped` and `kept` are those of the warm pairs, see `Warm`.
    """

    warm: np.ndarray
    single: np.ndarray
    cold: np.ndarray
    per_pair: int
    stable: bool
    dropped: int
    kept: bool


def gpu_time(runner: Runner, duration_s: float, gauge: Gauge) -> GpuTiming:
    """Time the inference that `runner` has bound, for `duration_s` seconds, warm-up besides."""
    submit, stream = runner.submit, runner.stream
    per_pair = launches_per_pair(submit, stream)
    window_s = duration_s * (1 - SINGLES_SHARE - COLD_SHARE)
    warm = warm_time(submit, stream, per_pair, duration_s * WARM_SHARE, window_s, gauge)
    each = float(np.median(warm.seconds))
    lead = spin_lead(submit, stream)
    singles = int(np.clip(duration_s * SINGLES_SHARE / (each + lead.seconds), FEWEST, MOST_SINGLES))
    colds = int(np.clip(duration_s * COLD_SHARE / each, FEWEST, MOST_SINGLES // 10))
    return GpuTiming(
        warm=warm.seconds,
        single=launches_time(submit, stream, pairs=LEAD + singles, per_pair=1, lead=lead)[LEAD:],
        cold=cold_launches_time(submit, stream, launches=colds),
        per_pair=per_pair,
        stable=warm.stable,
        dropped=warm.dropped,
        kept=warm.kept,
    )


def warm_time(
    submit: Callable[[], None], stream: Any, per_pair: int, warm_s: float, window_s: float, gauge: Gauge
) -> Warm:
    """Warm up for at most `warm_s` seconds, then time pairs for `window_s`, without those held back."""
    stable = _warm_up(submit, stream, per_pair, warm_s)
    seconds, flags = pairs_watched(submit, stream, per_pair, window_s, gauge)
    kept = int((~flags).sum()) >= FEWEST or not flags.any()
    return Warm(seconds[~flags] if kept else seconds, stable, int(flags.sum()), kept)


def _warm_up(submit: Callable[[], None], stream: Any, per_pair: int, most_s: float) -> bool:
    """Launch until two blocks in a row agree on their median; whether they did within `most_s`."""
    end = time.perf_counter() + most_s
    before: float | None = None
    while True:
        block = launches_time(submit, stream, pairs=LEAD + WARM_PAIRS, per_pair=per_pair)
        now = float(np.median(block[LEAD:]))
        if before is not None and abs(now - before) <= WARM_STABLE * before:
            return True
        if time.perf_counter() >= end:
            return False
        before = now


def pairs_watched(
    submit: Callable[[], None], stream: Any, per_pair: int, window_s: float, gauge: Gauge
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds per launch of each pair (n,), and whether the GPU was held back around it (n,).

    The gauge is read while pairs are in flight, so that the GPU does not wait for it; where it does,
    because a reading took longer than they, the pairs in which the host gets ahead again are left out.
    """
    waiting: deque[Pair] = deque()
    seconds: list[float] = []
    flags: list[bool] = []
    begun = read_at = time.perf_counter()
    clean, left_out = 0.0, LEAD

    def judge() -> float:
        """Read the gauge for the pairs since the last reading; their seconds, where they are not clean."""
        held = bool(held_back(gauge.read()))
        fresh = seconds[len(flags) :]
        flags.extend([held] * len(fresh))
        return sum(fresh) * per_pair if held else 0.0

    while (clean < window_s or len(seconds) < FEWEST) and (
        time.perf_counter() - begun < window_s * MOST_WINDOWS or len(seconds) < FEWEST
    ):
        waiting.append(Pair.enqueue(submit, stream, per_pair))
        if len(waiting) < IN_FLIGHT:
            continue
        each = waiting.popleft().seconds()
        if left_out:
            left_out -= 1
            continue
        seconds.append(each)
        clean += each * per_pair
        if time.perf_counter() - read_at >= GAUGE_EVERY_S:
            clean -= judge()
            read_at = time.perf_counter()
            if waiting[-1].last.query():
                left_out = len(waiting) + LEAD
    judge()
    for pair in waiting:
        pair.seconds()
    return np.asarray(seconds), np.asarray(flags, dtype=bool)
