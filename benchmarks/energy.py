"""Energy of work that never pauses, read from a counter that moves in steps."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from benchmarks.gauge import Gauge
from benchmarks.runners.base import Runner
from benchmarks.stats import Interval

CHUNK_S = 0.010  # launches enqueued together
IN_FLIGHT = 3  # chunks: longer than any reading takes
READ_S = 0.25  # between two looks at clocks and temperature
POLL_S = 0.002
MOST_WINDOWS = 5.0
RESAMPLES = 2000

Counter = Callable[[], float]  # joules since any moment


@dataclass(frozen=True)
class Trace:
    """What was read right after each step of the counter: seconds, launches done, joules; each (n,)."""

    seconds: np.ndarray
    launches: np.ndarray
    joules: np.ndarray


class Worker(Protocol):
    """What works while energy is read; `done` counts the launches that have ended."""

    done: int

    def step(self) -> None:
        """Work a little."""

    def end(self) -> None:
        """Let what is enqueued end."""


def idle_power(counter: Counter, seconds: float) -> float | None:
    """Watts between two steps of the counter, at least `seconds` apart; None where it does not move."""
    first = _step_await(counter, seconds)
    if first is None:
        return None
    time.sleep(seconds)
    last = _step_await(counter, seconds)
    return None if last is None else (last[1] - first[1]) / (last[0] - first[0])


def _step_await(counter: Counter, most_s: float) -> tuple[float, float] | None:
    """The moment of the counter's next step (s) and its value then (J); None when none comes."""
    before, end = counter(), time.perf_counter() + most_s
    while time.perf_counter() < end:
        time.sleep(POLL_S)
        now = counter()
        if now != before:
            return time.perf_counter(), now
    return None


class Work:
    """Launches enqueued in chunks, so that the device always has the next before it.

    `done` counts the launches that have ended.
    """

    def __init__(self, runner: Runner, gauge: Gauge) -> None:
        self._runner, self._gauge = runner, gauge
        self._ahead: deque[Any] = deque()
        self._read_at = 0.0
        self._per_chunk = self._chunk_size()
        self.done = 0

    def _chunk_size(self) -> int:
        """Launches that take about a chunk's time."""
        count = 1
        # the shorter of two: the first of all may pay for what is set up once
        while (took := min(self._chunk_time(count), self._chunk_time(count))) < CHUNK_S / 2:
            count *= 2
        return max(1, round(count * CHUNK_S / took))

    def _chunk_time(self, count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            self._runner.submit()
        self._runner.wait()
        return time.perf_counter() - started

    def step(self) -> None:
        """Enqueue one chunk, and wait for the one before the last."""
        for _ in range(self._per_chunk):
            self._runner.submit()
        stream = self._runner.stream
        if stream is None:  # submit has waited
            self.done += self._per_chunk
        else:
            self._ahead.append(stream.record_event())
            if len(self._ahead) > IN_FLIGHT:
                self._ahead.popleft().synchronize()
                self.done += self._per_chunk
        if time.perf_counter() - self._read_at >= READ_S:
            self._read_at = time.perf_counter()
            self._gauge.read()

    def run(self, seconds: float) -> None:
        """Work that long."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.step()

    def end(self) -> None:
        """Let what is enqueued end."""
        self._runner.wait()
        self._ahead.clear()


def energy_trace(counter: Counter, work: Worker, seconds: float, fewest: int = 1) -> Trace:
    """Work for `seconds` and keep what holds right after each step of the counter.

    Fewer than `fewest` steps make it work on, for at most `MOST_WINDOWS` times as long.
    """
    rows: list[tuple[float, int, float]] = []
    before, begun = counter(), time.perf_counter()
    while (worked := time.perf_counter() - begun) < seconds or (
        len(rows) < fewest and worked < seconds * MOST_WINDOWS
    ):
        work.step()
        now = counter()
        if now != before:
            rows.append((time.perf_counter(), work.done, now))
        before = now
    work.end()
    table = np.asarray(rows, dtype=float).reshape(-1, 3)
    return Trace(table[:, 0], table[:, 1], table[:, 2])


def ratio_bootstrap(above: np.ndarray, below: np.ndarray, *, seed: int = 0) -> Interval:
    """sum(above) / sum(below) with the percentile bootstrap over their common parts (k,) (Efron 1979)."""
    picks = np.random.default_rng(seed).integers(above.size, size=(RESAMPLES, above.size))
    ratios = above[picks].sum(axis=1) / below[picks].sum(axis=1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return Interval(float(above.sum() / below.sum()), float(low), float(high))
