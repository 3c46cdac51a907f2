"""The canary: a pinned small computation, timed before and after each job.

It is the same in every job, whatever is watched: when it moves, the machine moved.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Literal

import numpy as np

from benchmarks.device import DeviceKind
from benchmarks.errors import CannotRun
from benchmarks.report import CanaryReading, Remark

REPEATS = {"cpu": 150, "gpu": 15}
MOVED_SHARE = {"cpu": 0.10, "gpu": 0.02}  # by which before and after differ while nothing is wrong
_SEED = 0
_NUMBERS = 10_000  # 80 kB: they stay in the core's own cache


def canary_time(device: DeviceKind, when: Literal["before", "after"]) -> CanaryReading:
    """Time the canary of this device; about 0.1 s, on a GPU up to a second more to warm it.

    On a GPU it is a captured chain of matrix products between CUDA events; where torch cannot use the
    GPU, and on a processor, sorting and summing on one core, in processor time.
    """
    if device == "cuda":
        try:
            return _reading(when, "gpu", importlib.import_module("benchmarks.gpu.canary").canary_samples)
        except (ImportError, CannotRun):
            pass  # a job of engines may run without torch's CUDA
    return _reading(when, "cpu", processor_samples)


def _reading(
    when: Literal["before", "after"], clock: Literal["cpu", "gpu"], samples: Callable[[int], list[float]]
) -> CanaryReading:
    seconds = samples(REPEATS[clock])
    return CanaryReading(when=when, clock=clock, seconds=float(np.median(seconds)), n=len(seconds))


def canary_remarks(readings: tuple[CanaryReading, ...]) -> list[Remark]:
    """A doubt about every number of the job when the canary moved between its first and last reading."""
    if len(readings) < 2 or readings[0].clock != readings[-1].clock:
        return []
    first, last = readings[0], readings[-1]
    moved = last.seconds / first.seconds - 1
    if abs(moved) <= MOVED_SHARE[first.clock]:
        return []
    sentence = (
        f"the canary, a pinned computation on the {first.clock.upper()}, took {moved:+.0%} after the job "
        "than before: the machine changed meanwhile; look for other work on it or for heat, and run this "
        "again"
    )
    return [Remark(code="canary-moved", sentence=sentence)]


def canary_failed(when: Literal["before", "after"], error: Exception) -> Remark:
    """That the canary could not be timed, and why."""
    sentence = (
        f"the canary could not be timed {when} the job ({type(error).__name__}: {error}): something had "
        "broken the device or left it no memory; look at the cases that failed, and run this again"
    )
    return Remark(code="canary-failed", sentence=sentence[:2000])


def processor_samples(repeats: int) -> list[float]:
    """Processor seconds of sorting and summing, `repeats` times; numpy does both on this thread alone.

    Everything is allocated before: a page that must be mapped first takes as long as sorting it.
    """
    numbers = np.random.default_rng(_SEED).standard_normal(_NUMBERS)
    ordered, sums = np.empty_like(numbers), np.empty_like(numbers)
    seconds = []
    for _ in range(repeats + 1):
        started = time.thread_time()
        np.copyto(ordered, numbers)
        ordered.sort()
        np.cumsum(ordered, out=sums)
        seconds.append(time.thread_time() - started)
    return seconds[1:]
