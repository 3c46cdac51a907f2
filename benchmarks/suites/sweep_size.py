"""One size of a sweep, in the process that measures it: a child's on a processor."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.errors import CannotCapture, MeasureError
from benchmarks.metrics import format_seconds
from benchmarks.runners.base import Assets, Runner
from benchmarks.runners.table import ROWS, runner_open
from benchmarks.suites.memory import Taken, memory_take
from benchmarks.timing import FEWEST_SAMPLES, Timing, calls_time, latency_time

CALLS_NEEDED = 1.5 * FEWEST_SAMPLES + 3  # with the warm-up and the first three, which tell how long one is
MOST_WINDOWS = 1.5  # the calls of a size may take this many times what is left of the duration
GPU_PAIRS = 20


@dataclass(frozen=True)
class SizeReading:
    """What one size gave: host seconds; GPU seconds (n,), the allocator's peak in bytes, where there are.

    `charged_s` is what it takes off the duration, in seconds: calls that others disturbed and that were
    measured again are not charged, or a busy machine would end a sweep at a smaller size.
    """

    timing: Timing
    charged_s: float
    gpu: np.ndarray | None = None
    allocated_peak: int | None = None
    no_graph: str = ""


class TooSlowError(MeasureError):
    """The fewest calls of a size do not fit into what is left of the duration."""


def size_try(assets: Assets) -> float:
    """Load the module on this process's processor and run it once; the seconds of the run.

    Raises:
        ModelError: the size does not run.
    """
    sources = importlib.import_module("benchmarks.models.source")
    model = sources.model_load(assets.source, assets.checkout, assets.precision, assets.size)
    started = time.perf_counter()
    sources.model_try(model, assets.source.ref)
    return time.perf_counter() - started


def size_read(
    runner_name: str, assets: Assets, batch: int, share_s: float, left_s: float | None
) -> SizeReading:
    """Load the runner and measure one size for `share_s` seconds, if that fits into `left_s`.

    Raises:
        BenchmarkError: it does not fit, or the size does not run.
    """
    with runner_open(runner_name, assets) as runner:
        if runner.stream is not None and ROWS[runner_name].loads == "module":
            importlib.import_module("torch").cuda.reset_peak_memory_stats()
        runner.bind(batch)
        runner.infer()
        each = float(calls_time(runner.infer, 0.0, fewest=2).min())
        if left_s is not None and each * CALLS_NEEDED > left_s * MOST_WINDOWS:
            raise TooSlowError(
                f"one inference takes {format_seconds(each)}, so {FEWEST_SAMPLES} of them are too many for "
                "what is left of the duration"
            )
        charged_s = max(share_s, each * CALLS_NEEDED)
        if runner.stream is not None:
            return _gpu_read(runner, share_s, assets.threads, charged_s)
        return SizeReading(latency_time(runner.infer, share_s, assets.threads), charged_s)


def size_take(runner_name: str, assets: Assets, batch: int) -> Taken:
    """The memory that one size takes in this process.

    A nursery's child has the imports that the model makes, a fresh process does not: the model is run at
    its own size before, or a metric would depend on which it is (124 MiB instead of 1 for a tiny BERT).
    """
    if ROWS[runner_name].loads == "module":
        size_try(replace(assets, size=None))
    return memory_take(runner_name, assets, batch, 0.0)


def _gpu_read(runner: Runner, share_s: float, threads: int, charged_s: float) -> SizeReading:
    no_graph = ""
    try:
        runner.capture()
    except CannotCapture as error:
        no_graph = str(error)
    events = importlib.import_module("benchmarks.gpu.events")  # torch: only where there is a GPU to time
    per_pair = events.launches_per_pair(runner.submit, runner.stream)
    timing = latency_time(runner.infer, share_s, threads)
    gpu = events.launches_time(runner.submit, runner.stream, pairs=GPU_PAIRS, per_pair=per_pair)
    return SizeReading(timing, charged_s, gpu, runner.memory().get("allocated_peak"), no_graph)
