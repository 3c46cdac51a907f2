"""Suite `concurrency`: several copies of the model at once, against one alone in the same minutes.

Each copy is a runner of its own with its own weights, on a GPU with its own stream, and asks for one
inference after the other.  The copies are threads of this process, or with `processes` processes of
their own.  Without `streams` one, two and four copies are measured, each a point.

What the slowdown is made of, besides the device: threads share the interpreter's lock, which a tiny
model feels and a large one does not; `processes` has no such lock, but on a GPU the driver switches
between processes in turns (unless MPS runs), which streams of one process need not.  On the processor
every copy uses as many threads as one alone does, all of this process's cores: with more than one
copy they compete for the same cores, so that a slowdown of N with N copies is a throughput that
stays the same, and nothing is wrong.

The slowdown is that of the mean time from submit to result, on the host's clock, copies left out.  The
median would hide it: who shares a device in turns of some milliseconds is hardly disturbed within a
turn, however many take theirs, and waits long between two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import numpy as np

from benchmarks.cases import Case
from benchmarks.collector import collector_paused
from benchmarks.report import Remark
from benchmarks.runners.base import Assets, Runner
from benchmarks.runners.table import runner_open
from benchmarks.serving.child import Answer, children_open
from benchmarks.stats import median_bootstrap
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.capturing import capture_try
from benchmarks.timing import calls_time

POINTS = (1, 2, 4)
ROUNDS = 5
FEWEST_CALLS = 3
START_MOST_S = 300.0  # for a process to import its libraries and load the model
ANSWER_MOST_S = 600.0

Together = Callable[[int, float], list[np.ndarray]]
"""Runs the first n copies at once for some seconds; the seconds of each call, an array (calls,) per copy."""


def concurrency_measure(bench: Bench) -> Findings:
    """The slowdown of the mean latency against one copy, and the throughput of all, at each point."""
    findings = Findings(bench.case)
    streams = bench.case.option("streams")
    counts = POINTS if streams is None else (streams,)
    opened = _processes_open if bench.case.option("processes", False) else _threads_open
    with opened(bench, findings, max(counts)) as together:
        rounds = _rounds_measure(bench, together, tuple(sorted({1, *counts})))
    for count in counts:
        point = findings if streams is not None else findings.at(streams=count)
        _point_add(bench, point, rounds, count)
    return findings


def _rounds_measure(
    bench: Bench, together: Together, counts: tuple[int, ...]
) -> list[dict[int, list[np.ndarray]]]:
    """The calls of each number of copies, five times in turns, so that a slow minute meets them all."""
    each_s = bench.case.duration_s / ROUNDS
    with collector_paused():
        for count in counts:
            together(count, 0.0)  # the first calls in company
        rounds = []
        for _ in range(ROUNDS):
            rounds.append({count: together(count, each_s) for count in counts})
            bench.gauge.read()
    return rounds


def _point_add(
    bench: Bench, findings: Findings, rounds: list[dict[int, list[np.ndarray]]], count: int
) -> None:
    slowdowns = np.asarray(
        [np.concatenate(one[count]).mean() / np.concatenate(one[1]).mean() for one in rounds]
    )
    rates = np.asarray(
        [bench.case.batch * sum(calls.size / calls.sum() for calls in one[count]) for one in rounds]
    )
    findings.add("concurrency_slowdown", median_bootstrap(slowdowns), slowdowns)
    findings.add("concurrency_throughput", median_bootstrap(rates), rates)
    fewest = min(calls.size for one in rounds for calls in one[count])
    if fewest <= FEWEST_CALLS:
        findings.remark(
            "few-samples",
            f"a copy had only {fewest} inferences in each of {ROUNDS} rounds with {count} at once, and the "
            "first and last of them had less company; measure longer",
        )


@contextmanager
def _threads_open(bench: Bench, findings: Findings, count: int) -> Iterator[Together]:
    """Copies in threads, made ready one after the other, each by the thread that will run it."""
    with ExitStack() as stack:
        copies = [stack.enter_context(_thread_open(bench, findings)) for _ in range(count)]

        def together(some: int, seconds: float) -> list[np.ndarray]:
            futures = [begin(seconds) for begin in copies[:some]]
            return [future.result() for future in futures]

        yield together


@contextmanager
def _thread_open(bench: Bench, findings: Findings) -> Iterator[Callable[[float], Future[np.ndarray]]]:
    """A copy in a thread of its own, which loads, records, runs and closes it; what begins its calls.

    onnxruntime keeps a recorded CUDA graph for the thread that recorded it: another thread would record
    again within what is measured, and no two may record at once, nor beside work of another copy.
    """
    with ThreadPoolExecutor(1) as pool, ExitStack() as inside:
        try:
            ready = _ready(bench.case, bench.assets, findings)
            runner = pool.submit(inside.enter_context, ready).result()
            yield lambda seconds: pool.submit(calls_time, runner.infer, seconds, FEWEST_CALLS)
        finally:
            pool.submit(inside.close).result()


@contextmanager
def _processes_open(bench: Bench, findings: Findings, count: int) -> Iterator[Together]:
    """Copies in processes of fresh interpreters, which begin a round when they are told."""
    with children_open(count, copy_open, bench.case, bench.assets) as children:
        for child in children:
            child.send(None)
        told = [child.receive(START_MOST_S) for child in children]
        findings.remarks += told[0]

        def together(some: int, seconds: float) -> list[np.ndarray]:
            for child in children[:some]:
                child.send(seconds)
            return [child.receive(seconds + ANSWER_MOST_S) for child in children[:some]]

        yield together


@contextmanager
def copy_open(case: Case, assets: Assets) -> Iterator[Answer]:
    """In a child: a copy that answers seconds with the seconds of each call (calls,), None with remarks."""
    findings = Findings(case)
    with _ready(case, assets, findings) as runner:

        def answer(seconds: float | None) -> list[Remark] | np.ndarray:
            if seconds is None:
                return findings.remarks
            return calls_time(runner.infer, seconds, FEWEST_CALLS)

        yield answer


@contextmanager
def _ready(case: Case, assets: Assets, findings: Findings) -> Iterator[Runner]:
    """A copy that has run: what a library chooses and takes at its first calls is behind it."""
    with runner_open(case.runner, assets) as runner:
        runner.bind(case.batch)
        capture_try(runner, findings)
        calls_time(runner.infer, 0.0, FEWEST_CALLS)
        yield runner
