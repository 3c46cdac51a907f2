"""What runs in the process of one segment: iterations back to back, a reading after every block of them."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np

from benchmarks.gauge import NO_GAUGE, GpuGauge
from benchmarks.leaks.counters import Counters
from benchmarks.leaks.course import SegmentEnd
from benchmarks.leaks.stream import NAMES, RECORD, Stream
from benchmarks.runners.base import Assets, Runner
from benchmarks.runners.table import runner_open

FIRST_CALLS = 2  # they choose kernels and make lasting buffers
BLOCK_S = 0.02
READING_SHARE = 0.02  # of the time may go into readings
LEAST_BLOCKS = 100  # of a segment all the same: where objects leak, each collection takes longer
SO_FAR_BLOCKS = 50  # and of the time so far: whenever a segment is ended, there are enough for a verdict


@dataclass(frozen=True)
class SegmentPlan:
    """One segment: where its readings go, the file that asks it to stop, how long it counts (s)."""

    path: Path
    stop: Path
    seconds: float
    most_records: int


def segment_run(runner_name: str, assets: Assets, batch: int, plan: SegmentPlan) -> SegmentEnd:
    """Load the model in this process and infer until the segment's time is over or it is asked to stop.

    Inference is plain, never a replayed graph: what the model's own code leaks must run.

    Raises:
        BenchmarkError: the model does not load or does not run; what was read until then is on disk.
    """
    wish = _Wish(plan.stop, os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, wish.ask)
    runner = runner_open(runner_name, assets)
    with ExitStack() as stack:
        stack.enter_context(runner)
        runner.bind(batch)
        for _ in range(FIRST_CALLS):
            runner.infer()
        gauge = stack.enter_context(GpuGauge()) if assets.device == "cuda" else NO_GAUGE
        counters = stack.enter_context(Counters(_allocator_of(runner), gauge))
        gc.collect()
        gc.freeze()  # a collection before each reading then walks only what is new
        counters.read()  # once unmeasured: the first has costs of its own
        stream = stack.enter_context(Stream(plan.path, plan.most_records))
        _Segment(runner.infer, counters, stream, plan.seconds).run(wish)
    missing = tuple(sorted(counters.missing.items()))
    return SegmentEnd("stopped" if wish.is_asked() else "done", missing=missing)


@dataclass
class _Wish:
    """Whether somebody wants the segment to end: the file, a signal, or a parent that has gone."""

    path: Path
    parent: int
    asked: bool = False

    def ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True

    def is_asked(self) -> bool:
        self.asked = self.asked or os.getppid() != self.parent or self.path.exists()
        return self.asked


@dataclass
class _Segment:
    """The loop.  Nothing here may grow with time: it would be taken for the model's."""

    infer: Callable[[], None]
    counters: Counters
    stream: Stream
    seconds: float
    _record: np.ndarray = field(default_factory=lambda: np.zeros(1, dtype=RECORD))

    def run(self, wish: _Wish) -> None:
        """Blocks of iterations until a reading of the segment's end is there or the wish comes.

        The clock alone would end it while its last reading is older, and what is missing would be a
        segment of its own.
        """
        clock = time.perf_counter
        infer = self.infer
        started = clock()
        last, iterations, busy, block_s, cost = 0.0, 0, 0.0, BLOCK_S, 0.0
        while last < self.seconds and not wish.is_asked():
            began = clock()
            end = began + block_s
            now = began
            while now < end:
                infer()
                iterations += 1
                now = clock()
            busy += now - began
            spent = time.thread_time()  # not the clock: other processes may come in between
            last = now - started
            self._read(last, iterations, busy)
            cost += 0.1 * (time.thread_time() - spent - cost)
            most_s = min(self.seconds / LEAST_BLOCKS, last / SO_FAR_BLOCKS)
            block_s = max(BLOCK_S, min(cost / READING_SHARE, most_s))

    def _read(self, seconds: float, iterations: int, busy: float) -> None:
        record = self._record[0]
        record["seconds"], record["iterations"], record["busy"] = seconds, iterations, busy
        for name, value in zip(NAMES, self.counters.read(), strict=True):
            record[name] = value
        self.stream.add(self._record)


def _allocator_of(runner: Runner) -> Callable[[], int | None]:
    """What the runner's own allocator on the GPU has given out; None where it has none."""
    return lambda: runner.memory().get("allocated")
