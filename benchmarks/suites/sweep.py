"""Suite `sweep`: latency and memory against the input's size, up to a limit.

The limit is the model's own, the memory's, or the time's; each ends the sweep with a remark that names
the size and the reason, and fails nothing.  A size is tried, and on a processor measured, in processes
of its own, so that one too large for the memory takes no other with it.  Only the export of a size runs
in the job's own process, after its trial; both are charged to the duration.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.cases import Case
from benchmarks.errors import BenchmarkError, CannotRun, first_line
from benchmarks.isolation import isolated
from benchmarks.models.sizes import PIXELS, example_size
from benchmarks.runners.base import Assets
from benchmarks.runners.table import ROWS
from benchmarks.stability import timing_remarks
from benchmarks.stats import percentile
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.capturing import is_out_of_memory
from benchmarks.suites.sweep_size import TooSlowError, size_read, size_take, size_try

IMAGE_SIZES = (224, 384, 512, 768, 1024, 2160)  # the last is the height of a 4K picture
FIRST_TOKENS = 128
LARGEST_TOKENS = 2**17
SMALLEST_SHARE = 0.05  # of the duration, for one size

_KILLED = f"exit code {-signal.SIGKILL},"  # what the kernel does to a child when memory runs out


@dataclass(frozen=True)
class End:
    """Why a sweep ended at a size."""

    code: Literal["model-limit", "out-of-memory", "time-limit"]
    words: str


def sweep_measure(bench: Bench) -> Findings:
    """Latency and peak memory at each size, and the largest that ran; or at the case's size alone.

    The largest is left out where the time ended the sweep: it would be the machine's speed, not the model's.

    Raises:
        CannotRun: the model's inputs have no size, or not even the first size runs.
    """
    findings = Findings(bench.case)
    kind, own = _kind_and_own(bench)
    sizes = sizes_of(bench.case, kind, own)
    largest: int | None = None
    end: End | None = None
    spent = 0.0
    for place, size in enumerate(sizes):
        try:
            # a size is the same case whichever sweep it was a point of
            point = findings.at(size=size, largest_size=None)
            assets, made_s = (bench.assets, 0.0) if size == own else _assets_make(bench, size, spent)
            spent += made_s
            spent += _size_measure(bench, assets, point, _window(bench.case, spent, place, len(sizes)))
        except Exception as error:
            end = end_of(error)
            if end is None:
                raise
            if largest is None:
                raise CannotRun(f"the sweep cannot begin: {size} {kind} do not run: {end.words}") from error
            findings.remark(end.code, f"the sweep ended before {size} {kind}: {end.words}")
            break
        largest = size
    timed_out = end is not None and end.code == "time-limit"
    if largest is not None and not timed_out and bench.case.option("size") is None:
        findings.add("sweep_largest", largest)
    return findings


def _window(case: Case, spent_s: float, place: int, count: int) -> tuple[float, float | None]:
    """Seconds for the size at `place` of `count`, and what its calls may take (None: the first may all).

    Also where nothing is left: what was made for a size is not thrown away.
    """
    smallest = case.duration_s * SMALLEST_SHARE
    left = max(case.duration_s - spent_s, smallest)
    return max(left / (count - place), smallest), left if place else None


def _assets_make(bench: Bench, size: int, spent_s: float) -> tuple[Assets, float]:
    """The case's assets at another size, and the seconds that trying and making them took.

    A module is tried by whoever measures it, on a processor a child.  Two kinds are tried before, by a
    child on the processor: one of the user's beside a GPU, where an index outside a table would end the
    whole process; and one that is then exported, which runs it in this process.

    Raises:
        TooSlowError: the duration is used up.
        BenchmarkError: the size does not run, or does not become what the runner loads.
    """
    if spent_s >= bench.case.duration_s:
        raise TooSlowError("the smaller sizes, with what was made for them, used up the duration")
    assets = replace(bench.assets, size=size, example=())
    exported = ROWS[bench.case.runner].loads != "module"
    if not exported and (assets.device == "cpu" or assets.source.kind == "catalogue"):
        return assets, 0.0
    tried_s = isolated(size_try, assets, nursery=bench.nursery)
    if not exported:
        return assets, tried_s
    started = time.perf_counter()
    made = bench.shop.variant(bench.case, size=size)
    return made, tried_s + time.perf_counter() - started


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
    words = first_line(error)
    if is_out_of_memory(error) or _KILLED in str(error):
        return End("out-of-memory", f"there is not enough memory ({words[:300]})")
    if isinstance(error, TooSlowError):
        return End("time-limit", f"{words}; measure longer for larger ones")
    if isinstance(error, BenchmarkError) and error.kind in ("model", "export", "build"):
        return End("model-limit", words[:500])
    return None


def _size_measure(bench: Bench, assets: Assets, point: Findings, window: tuple[float, float | None]) -> float:
    """One size, on a processor in processes of its own; returns the seconds it is charged with."""
    case = bench.case
    if assets.device == "cuda":
        reading = size_read(case.runner, assets, case.batch, *window)
    else:
        reading = isolated(size_read, case.runner, assets, case.batch, *window, nursery=bench.nursery)
        # not the same child: to read the memory it changes the allocator, and with it the latency
        taken = isolated(size_take, case.runner, assets, case.batch, nursery=bench.nursery)
        if not isinstance(taken.host, CannotRun):
            point.add("host_peak_memory", taken.host_peak)
        elif not any(remark.code == "host-memory-untold" for remark in point.remarks):
            point.remark("host-memory-untold", f"{taken.host}; measure on a kernel that tells it")
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
