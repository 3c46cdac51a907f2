"""The canary: a pinned small computation, timed before and after each job.

It is the same in every job, whatever is watched: when it moves, the machine moved.
"""

from __future__ import annotations

import importlib
import time
from typing import Literal

import numpy as np

from benchmarks.device import DeviceKind
from benchmarks.errors import CannotRun
from benchmarks.report import CanaryReading, Remark

REPEATS = 15
MOVED_SHARE = {"cpu": 0.10, "gpu": 0.02}  # by which before and after differ while nothing is wrong
_SEED = 0
_NUMBERS = 100_000


def canary_time(device: DeviceKind, when: Literal["before", "after"]) -> CanaryReading:
    """Time the canary of this device; about 0.1 s.

    On a GPU it is a captured chain of matrix products between CUDA events; where torch cannot use the
    GPU, and on a processor, sorting and summing on one core, in processor time.
    """
    if device == "cuda":
        try:
            seconds = importlib.import_module("benchmarks.gpu.canary").canary_samples(REPEATS)
            return CanaryReading(when=when, clock="gpu", seconds=float(np.median(seconds)), n=len(seconds))
        except (ImportError, CannotRun):
            pass  # a job of engines may run without torch's CUDA
    seconds = [_processor_canary() for _ in range(REPEATS)]
    return CanaryReading(when=when, clock="cpu", seconds=float(np.median(seconds)), n=REPEATS)


def canary_remarks(before: tuple[CanaryReading, ...], after: tuple[CanaryReading, ...]) -> list[Remark]:
    """A doubt about every number of the job when the canary moved while it ran."""
    remarks = []
    for first, last in zip(before, after, strict=True):
        moved = last.seconds / first.seconds - 1
        if first.clock == last.clock and abs(moved) > MOVED_SHARE[first.clock]:
            sentence = (
                f"the canary, a pinned computation on the {first.clock.upper()}, took {moved:+.0%} "
                "after the job than before: the machine changed meanwhile; look for other work on it or "
                "for heat, and run this again"
            )
            remarks.append(Remark(code="canary-moved", sentence=sentence))
    return remarks


def _processor_canary() -> float:
    """Processor seconds of sorting and summing; numpy does both on this thread alone."""
    numbers = np.random.default_rng(_SEED).standard_normal(_NUMBERS)
    started = time.thread_time()
    np.sort(numbers).cumsum()
    return time.thread_time() - started
