"""Host latency: warm up until it is stable, then measure by duration and count."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.collector import collector_paused
from benchmarks.load import Load, load_between, load_mark
from benchmarks.preemption import Mark

FEWEST_SAMPLES = 20
WARM_SHARE = 0.3  # of the measuring time, at most
WARM_STABLE = 0.02  # two blocks in a row agree to this
WARM_BLOCKS = 4
MOST_WINDOWS = 2.0  # disturbed calls are measured again until this many times the duration
KEPT_SHARE = 0.5  # with fewer undisturbed calls than this none is left out


@dataclass(frozen=True)
class Timing:
    """Samples of one measuring window.

    `samples` (n,) holds seconds per call, without the `disturbed` calls in which another process
    took the processor; `kept` is false when those were most: then none is left out and the samples
    are doubtful.  `processor` (m,) holds the processor seconds that this process used in each of all
    calls, for it does not count what others took.  `own_share` is the part of the cores' time that
    this process used, `load` who else did (None where the kernel does not tell); `stable` says
    whether the warm-up settled before its time ended.  On several `cores` a call's lost time is not
    seen for sure: then `load` alone tells.
    """

    samples: np.ndarray
    processor: np.ndarray
    own_share: float
    load: Load | None
    stable: bool
    disturbed: int = 0
    kept: bool = True
    cores: int = 1


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


def calls_watched(
    call: Callable[[], None], duration_s: float, fewest: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seconds of each call (n,), its processor seconds (n,) and whether it was disturbed (n,).

    Goes on until the undisturbed calls fill `duration_s` and are at least `fewest`, at most for
    twice the duration.
    """
    clock = time.perf_counter_ns
    walls: list[int] = []
    processor: list[int] = []
    flags: list[bool] = []
    wanted, clean, count = int(duration_s * 1e9), 0, 0
    latest = clock() + int(wanted * MOST_WINDOWS)
    before = Mark.now()
    while (clean < wanted or count < fewest) and (clock() < latest or len(walls) < fewest):
        start = clock()
        call()
        wall = clock() - start
        after = Mark.now()
        disturbed = after.is_disturbed(before, wall)
        processor.append(after.cpu_ns - before.cpu_ns)
        before = after
        walls.append(wall)
        flags.append(disturbed)
        clean += 0 if disturbed else wall
        count += not disturbed
    return _seconds(walls), _seconds(processor), np.asarray(flags, dtype=bool)


def _seconds(nanoseconds: list[int]) -> np.ndarray:
    return np.asarray(nanoseconds, dtype=np.int64) * 1e-9


def latency_time(call: Callable[[], None], duration_s: float, cores: int) -> Timing:
    """Warm up, then time single calls back to back for `duration_s` seconds on `cores` cores."""
    with collector_paused():
        stable = warm_up(call, duration_s)
        before, cpu, wall = load_mark(), time.process_time(), time.perf_counter()
        walls, processor, flags = calls_watched(call, duration_s, FEWEST_SAMPLES)
        own = (time.process_time() - cpu) / (time.perf_counter() - wall) / cores
        load = load_between(before, load_mark(), cores)
    disturbed = int(flags.sum())
    clean = flags.size - disturbed
    kept = clean >= max(FEWEST_SAMPLES, KEPT_SHARE * flags.size)
    return Timing(
        samples=walls[~flags] if kept else walls,
        processor=processor,
        own_share=own,
        load=load,
        stable=stable,
        disturbed=disturbed,
        kept=kept,
        cores=cores,
    )
