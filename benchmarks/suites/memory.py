"""Suite `memory`: the peak above what was there before the model was loaded, each kind by its own counter.

| metric | who counts it | above what |
| --- | --- | --- |
| host_peak_memory | the kernel (VmHWM of the child) | the libraries, and on a GPU the CUDA context |
| gpu_peak_memory | NVML every 10 ms, and the driver's accounting where it is on | the bare CUDA context |
| gpu_allocated_peak | torch's allocator: bytes of live tensors | nothing |
| gpu_reserved_peak | torch's allocator: bytes it took from the driver | nothing |
| engine_context_memory | the engine: scratch memory of one execution context | nothing |

NVML also sees what libraries take for themselves when the model first calls them (cuBLAS's and cuDNN's
workspaces, the code of kernels): another model calls others, so that is the model's.  The context
alone is the same for every model, and is told apart as `gpu_context_memory`: a process takes both.
A model is loaded and run as in the other suites, in a CUDA graph where it can be captured.

Each case is measured in a process of its own that has the libraries and nothing else: what an
earlier case left in the allocator would be taken for free memory and hide the model's own.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.collector import collector_paused
from benchmarks.device_memory import DevicePeak, DeviceWatch, Window
from benchmarks.errors import CannotRun
from benchmarks.isolation import isolated
from benchmarks.memory import HostWatch
from benchmarks.runners.base import Assets, Runner
from benchmarks.runners.table import runner_open
from benchmarks.stats import median_bootstrap
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.capturing import capture_reason
from benchmarks.timing import calls_watched

INFERENCES = 5
MEBIBYTE = 2**20
HOLD_S = 0.1  # so that several samples fall into what is held
LONGEST_GAP_S = 0.05
TIMED_SHARE = 0.2  # of the duration, for the rate beside the peak
FEWEST_RATES = 5


@dataclass(frozen=True)
class Taken:
    """What the child found: `host` in bytes (or why the kernel does not tell), `kinds` as
    `Runner.memory` names them, in bytes.

    `base` and `work` are the windows in which it held the context alone, and in which it loaded and
    ran; `rates` (n,) are samples per second, measured when the peaks had been read.
    """

    host: int | CannotRun
    kinds: dict[str, int]
    base: Window
    work: Window
    rates: np.ndarray

    @property
    def host_peak(self) -> int:
        """Bytes of host memory.

        Raises:
            CannotRun: the kernel does not tell.
        """
        if isinstance(self.host, CannotRun):
            raise self.host
        return self.host


def memory_measure(bench: Bench) -> Findings:
    """Peak memory of loading the model and running a few inferences, in bytes, by kind.

    Raises:
        CannotRun: there is no GPU, and the kernel does not tell the host's peak.
    """
    findings = Findings(bench.case)
    on_gpu = bench.assets.device == "cuda"
    watch = DeviceWatch.begin(bench.gauge)
    taken = isolated(
        memory_take,
        bench.case.runner,
        bench.assets,
        bench.case.batch,
        bench.case.duration_s * TIMED_SHARE,
        nursery=bench.nursery,
        meanwhile=watch.sample if on_gpu else None,
    )
    if not on_gpu or not isinstance(taken.host, CannotRun):
        findings.add("host_peak_memory", taken.host_peak)
    else:
        findings.remark("host-memory-untold", f"{taken.host}; measure on a kernel that tells it")
    _kinds_add(findings, taken.kinds)
    peak = _device_add(findings, watch, taken) if on_gpu else taken.host_peak
    if peak:
        rates = taken.rates / (peak / MEBIBYTE)
        findings.add("samples_per_mebibyte", median_bootstrap(rates), rates)
    return findings


def _kinds_add(findings: Findings, kinds: dict[str, int]) -> None:
    """The allocator's and the engine's own numbers, where the runner has them."""
    names = {
        "gpu_allocated_peak": "allocated_peak",
        "gpu_reserved_peak": "reserved_peak",
        "engine_context_memory": "engine_context",
    }
    for metric, kind in names.items():
        if kind in kinds:
            findings.add(metric, kinds[kind])
    # torch tells the two peaks, not when each was: they coincide but for a load that frees much
    reserved = kinds.get("reserved_peak", 0)
    if reserved:
        findings.add("gpu_fragmentation", (reserved - kinds["allocated_peak"]) / reserved)


def _device_add(findings: Findings, watch: DeviceWatch, taken: Taken) -> int | None:
    """NVML's numbers; the peak in bytes, None where NVML does not tell one."""
    try:
        peak = watch.peak(taken.base, taken.work)
    except CannotRun as error:
        findings.remark("gpu-memory-untold", str(error))
        return None
    findings.add("gpu_peak_memory", peak.above)
    findings.add("gpu_context_memory", peak.base)
    _device_remarks(findings, peak)
    return peak.above


def _device_remarks(findings: Findings, peak: DevicePeak) -> None:
    if peak.whole_gpu:
        findings.remark(
            "gpu-memory-whole",
            "NVML does not tell the measuring process's own memory here: the use of the whole GPU above what "
            "it was before the load stands in for it; share the host's process numbers with the container, "
            "and keep other processes off this GPU",
        )
    if peak.gap_s > LONGEST_GAP_S:
        findings.remark(
            "gpu-memory-coarse",
            f"up to {peak.gap_s * 1e3:.0f} ms passed between two samples of the GPU's memory, so a shorter "
            "peak may be missing; leave the measuring process a second core",
        )


def memory_take(runner_name: str, assets: Assets, batch: int, timed_s: float) -> Taken:
    """Load and run in this process, and read what it held at most above its size before the load."""
    runner = runner_open(runner_name, assets)  # imports the library: no memory of the model's
    base = _base_hold(assets)
    host = _host_begin()
    started = time.monotonic()
    with runner:
        _window_end(host)
        runner.bind(batch)
        capture_reason(runner)  # why not is the latency suite's to say
        for _ in range(INFERENCES):
            runner.infer()
        _window_end(host)
        kinds = runner.memory()
        if assets.device == "cuda":
            time.sleep(HOLD_S)
        work = (started, time.monotonic())
        rates = _rates(runner, batch, timed_s)
    return Taken(host.peak if isinstance(host, HostWatch) else host, kinds, base, work, rates)


def _host_begin() -> HostWatch | CannotRun:
    try:
        return HostWatch.begin()
    except CannotRun as error:
        return error


def _window_end(host: HostWatch | CannotRun) -> None:
    if isinstance(host, HostWatch):
        host.window_end()


def _base_hold(assets: Assets) -> Window:
    """On a GPU: make the context and hold it alone until the parent has seen it."""
    if assets.device != "cuda":
        return (0.0, 0.0)
    importlib.import_module("benchmarks.gpu.context").gpu_ready()
    begun = time.monotonic()
    time.sleep(HOLD_S)
    return begun, time.monotonic()


def _rates(runner: Runner, batch: int, timed_s: float) -> np.ndarray:
    """Samples per second (n,): by the GPU's events where there is a stream, else by the host's clock."""
    with collector_paused():
        if runner.stream is None:
            walls, _, disturbed = calls_watched(runner.infer, timed_s, FEWEST_RATES)
            return batch / (walls[~disturbed] if (~disturbed).sum() >= FEWEST_RATES else walls)
        events = importlib.import_module("benchmarks.gpu.events")
        per_pair = events.launches_per_pair(runner.submit, runner.stream)
        pairs = max(FEWEST_RATES, round(timed_s / events.PAIR_SECONDS))
        return batch / events.launches_time(runner.submit, runner.stream, pairs=pairs, per_pair=per_pair)
