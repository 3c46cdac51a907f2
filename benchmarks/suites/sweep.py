"""Suite `sweep`: latency and memory against the input's size, up to a limit.

The limit is the model's own, the memory's, or the time's; each ends the sweep with a remark that names
the size and the reason, and fails nothing.  On a processor each size is measured in a process of its
own, so that one too large for the memory takes no other with it.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from benchmarks.cases import Case
from benchmarks.errors import BenchmarkError, CannotCapture, CannotRun, MeasureError
from benchmarks.isolation import isolated, native_thread_count
from benchmarks.metrics import format_seconds
from benchmarks.models.sizes import PIXELS, example_size
from benchmarks.runners.base import Assets, Runner
from benchmarks.runners.table import ROWS, runner_open
from benchmarks.stability import timing_remarks
from benchmarks.stats import percentile
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.memory import memory_take
from benchmarks.timing import FEWEST_SAMPLES, Timing, calls_time, latency_time

IMAGE_SIZES = (224, 384, 512, 768, 1024, 2160)  # the last is the height of a 4K picture
FIRST_TOKENS = 128
LARGEST_TOKENS = 2**17
SMALLEST_SHARE = 0.05  # of the duration, for one size
CALLS_NEEDED = 1.5 * FEWEST_SAMPLES  # with the warm-up
MOST_WINDOWS = 1.5  # the calls of a size may take this many times what is left of the duration
GPU_PAIRS = 20

_OUT_OF_MEMORY = re.compile(
    r"OutOfMemoryError|out of memory|MemoryError|can't allocate memory|not enough memory|bad_alloc|"
    r"Failed to allocate memory|exit code -9\b",
    re.IGNORECASE,
)


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


@dataclass(frozen=True)
class End:
    """Why a sweep ended at a size."""

    code: Literal["model-limit", "out-of-memory", "time-limit"]
    words: str


class _TooSlowError(MeasureError):
    """The fewest calls of a size do not fit into what is left of the duration."""


def sweep_measure(bench: Bench) -> Findings:
    """Latency and peak memory at each size, and the largest that ran; or at the case's size alone.

    Raises:
        CannotRun: the model's inputs have no size, or not even the first size runs.
    """
    findings = Findings(bench.case)
    kind, own = _kind_and_own(bench)
    sizes = sizes_of(bench.case, kind, own)
    threads_then = native_thread_count()
    largest: int | None = None
    spent = 0.0
    for place, size in enumerate(sizes):
        left = bench.case.duration_s - spent
        share = max(left / (len(sizes) - place), bench.case.duration_s * SMALLEST_SHARE)
        try:
            assets = bench.assets if size == own else _assets_of(bench, size)
            forkable = bench.forkable and native_thread_count() <= threads_then
            window = (share, left if place else None)
            # a size is the same case whichever sweep it was a point of
            point = findings.at(size=size, largest_size=None)
            spent += _size_measure(bench, assets, point, window, forkable)
        except Exception as error:
            end = end_of(error)
            if end is None:
                raise
            if largest is None:
                raise CannotRun(f"the sweep cannot begin: {size} {kind} do not run: {end.words}") from error
            findings.remark(end.code, f"the sweep ended before {size} {kind}: {end.words}")
            break
        largest = size
    if largest is not None and bench.case.option("size") is None:
        findings.add("sweep_largest", largest)
    return findings


def _assets_of(bench: Bench, size: int) -> Assets:
    """The case's assets at another size.

    Making them tries the module on a processor, which takes minutes for a large one beside a GPU.  A
    catalogue model's limit is known without, so there the runner alone tries it; in a module of the
    user's an index outside a table would be an error on a GPU that ends the whole process.
    """
    loads_module = ROWS[bench.case.runner].loads == "module"
    if bench.assets.device == "cuda" and loads_module and bench.assets.source.kind == "catalogue":
        return replace(bench.assets, size=size)
    return bench.shop.variant(bench.case, size=size)


def _kind_and_own(bench: Bench) -> tuple[str, int]:
    """`pixels` or `tokens`, and the example's own size."""
    source = bench.assets.source
    if source.kind not in ("catalogue", "entry"):
        raise CannotRun(
            f"{source.ref} is an {source.kind} file: its sizes were fixed when it was made; "
            "name the model's entry point to sweep over sizes"
        )
    found = example_size(bench.assets.example)
    if found is None:
        raise CannotRun(
            f"no input of {source.ref} is an image (n, c, h, w) or token ids (n, t): it has no size"
        )
    return found


def sizes_of(case: Case, kind: str, own: int) -> tuple[int, ...]:
    """The sizes to try, the smallest first.

    Images of 224 pixels and more take the usual sizes up to 4K's height, tokens double from 128;
    smaller examples double from their own size.
    """
    if (asked := case.option("size")) is not None:
        return (asked,)
    first = IMAGE_SIZES[0] if kind == PIXELS else FIRST_TOKENS
    last = IMAGE_SIZES[-1] if kind == PIXELS else LARGEST_TOKENS
    if kind == PIXELS and own >= first:
        sizes = list(IMAGE_SIZES)
    else:
        sizes = [min(own, first)]
        while sizes[-1] * 2 <= last:
            sizes.append(sizes[-1] * 2)
    most = case.option("largest_size", last)
    kept = tuple(size for size in sizes if size <= most)
    if not kept:
        raise CannotRun(f"largest_size {most} is below the first size, {sizes[0]} {kind}; ask for more")
    return kept


def end_of(error: Exception) -> End | None:
    """What an error says about a size: a limit that ends the sweep; None when it is another fault."""
    words = f"{type(error).__name__}: {error}"
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if _OUT_OF_MEMORY.search(words):
        return End("out-of-memory", f"there is not enough memory ({first_line[:300]})")
    if isinstance(error, _TooSlowError):
        return End("time-limit", f"{first_line}; measure longer for larger ones")
    if isinstance(error, BenchmarkError) and error.kind in ("model", "export", "build"):
        return End("model-limit", first_line[:500])
    return None


def _size_measure(
    bench: Bench, assets: Assets, point: Findings, window: tuple[float, float | None], forkable: bool
) -> float:
    """One size, on a processor in processes of its own; returns the seconds it is charged with."""
    case = bench.case
    if assets.device == "cuda":
        reading = size_read(case.runner, assets, case.batch, *window)
    else:
        method: Literal["fork", "spawn"] = "fork" if forkable else "spawn"
        reading = isolated(size_read, case.runner, assets, case.batch, *window, method=method)
        if forkable:  # a fresh interpreter would import its libraries for this alone
            taken = isolated(memory_take, case.runner, assets, case.batch, 0.0, method=method)
            point.add("host_peak_memory", taken.host_peak)
    samples = reading.timing.samples
    point.add("latency_p50", percentile(samples, 0.50), samples)
    if reading.gpu is not None:
        point.add("gpu_compute_time_p50", percentile(reading.gpu, 0.50), reading.gpu)
    if reading.allocated_peak is not None:
        point.add("gpu_allocated_peak", reading.allocated_peak)
    if reading.no_graph:
        point.remark("no-graph", f"{reading.no_graph}; the GPU waits for the host between kernels here")
    timing_remarks(point, reading.timing)
    return reading.charged_s


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
            raise _TooSlowError(
                f"one inference takes {format_seconds(each)}, so {FEWEST_SAMPLES} of them are too many for "
                "what is left of the duration"
            )
        charged_s = max(share_s, each * CALLS_NEEDED)
        if runner.stream is not None:
            return _gpu_read(runner, share_s, assets.threads, charged_s)
        return SizeReading(latency_time(runner.infer, share_s, assets.threads), charged_s)


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
