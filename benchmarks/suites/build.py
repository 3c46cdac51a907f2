"""Suite `build`: what it takes to get from the source to something that runs."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from benchmarks.artifacts import Artifact
from benchmarks.collector import collector_paused
from benchmarks.engines import EngineBuild
from benchmarks.errors import CannotCapture, CannotRun, MeasureError
from benchmarks.runners.base import Runner
from benchmarks.runners.table import ROWS, runner_open
from benchmarks.stats import median_bootstrap
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.capturing import capture_reason

LOADS_MOST = 7
LOADS_SECONDS = 0.5
FEWEST_PAIRS = 20  # event pairs that the GPU time of a rebuilt engine is the median of
MOST_PAIRS = 1000


@runtime_checkable
class Layered(Protocol):
    """A runner of engines: it tells what its engine is made of."""

    def inspect(self) -> str:
        """The layers as JSON."""
        ...

    def layer_times(self) -> list[tuple[str, float]]:
        """(layer, seconds) in the order in which they run."""
        ...


def build_measure(bench: Bench) -> Findings:
    """Sizes, counts and times of what this case's runner loads."""
    findings = Findings(bench.case)
    _MEASURES[ROWS[bench.case.runner].loads](bench, findings)
    return findings


def _module_measure(bench: Bench, findings: Findings) -> None:
    if bench.parameter_count is not None:
        findings.add("parameter_count", bench.parameter_count)
    _loads_measure(bench, findings)


def _onnx_measure(bench: Bench, findings: Findings) -> None:
    if bench.assets.onnx is not None:
        findings.add("model_size", bench.assets.onnx.whole_size)
    if bench.export_s is not None:
        findings.add("export_time", bench.export_s)
    _loads_measure(bench, findings)


def _engine_measure(bench: Bench, findings: Findings) -> None:
    if bench.build is not None:
        findings.add("engine_build_success", 1.0)
        _builds_measure(bench, bench.build, findings)
    if bench.assets.engine is not None:
        findings.add("engine_size", bench.assets.engine.size)
    try:
        with runner_open(bench.case.runner, bench.assets) as runner:
            findings.add("engine_layers", runner.layer_count())
            runner.bind(bench.case.batch)
            _layers_keep(bench, runner, findings)
        _loads_measure(bench, findings)
    except CannotRun as error:
        findings.remark(
            "not-loaded", f"load time, layers and GPU time of the engine are not in the report: {error}"
        )


_MEASURES: dict[str, Callable[[Bench, Findings], None]] = {
    "module": _module_measure,
    "onnx": _onnx_measure,
    "engine": _engine_measure,
}


def _builds_measure(bench: Bench, first: EngineBuild, findings: Findings) -> None:
    """Build the same ONNX again, as often as the case asks, and tell how far the engines differ.

    The first build pays for what the library sets up once, which the median of three or more does
    not feel.
    """
    count = int(bench.case.option("rebuilds", 1))
    if count == 1:
        findings.add("engine_build_time", first.seconds)
        return
    seconds, engines, gpu_times = [first.seconds], [first.engine], _gpu_times(bench, first.engine, findings)
    for _ in range(count - 1):
        built = bench.shop.rebuild(bench.case)
        seconds.append(built.seconds)
        engines.append(built.engine)
        if gpu_times:  # where the first one ran
            gpu_times += _gpu_times(bench, built.engine, findings)
        built.remove()
    times = np.asarray(seconds)
    findings.add("engine_build_time", median_bootstrap(times), times)
    sizes = _spread([engine.size for engine in engines])
    findings.add("rebuild_size_spread", sizes)
    if gpu_times:
        findings.add("rebuild_time_spread", _spread(gpu_times))
    _difference_remark(findings, engines, sizes, gpu_times)


def _difference_remark(
    findings: Findings, engines: list[Artifact], sizes: float, gpu_times: list[float]
) -> None:
    different = len({engine.sha256 for engine in engines})
    if different == 1:
        return
    times = f" and their GPU time by {_spread(gpu_times):.2%}" if gpu_times else ""
    findings.remark(
        "rebuilds-differ",
        f"builds are not deterministic: {len(engines)} builds of the same ONNX file gave {different} "
        f"different engines, whose sizes differ by {sizes:.2%}{times}; a difference between two commits "
        "that is smaller says nothing. A timing cache (option timing_cache) makes builds more alike",
    )


def _gpu_times(bench: Bench, engine: Artifact, findings: Findings) -> list[float]:
    """The median GPU time of one engine, in seconds, as a list of one; empty where it cannot run."""
    try:
        with runner_open(bench.case.runner, replace(bench.assets, engine=engine)) as runner:
            runner.bind(bench.case.batch)
            return [_gpu_median(runner, bench.case.duration_s, findings)]
    except CannotCapture:
        raise  # the GPU's memory is too small, which is told nowhere else
    except CannotRun:
        return []  # the suite says why when it tries to load the first one


def _gpu_median(runner: Runner, duration_s: float, findings: Findings) -> float:
    events = importlib.import_module("benchmarks.gpu.events")  # torch: there once an engine is loaded
    reason = capture_reason(runner)
    if reason:
        findings.remark(
            "not-captured",
            f"the engine ran without a CUDA graph ({reason}), so that rebuild_time_spread holds the host's "
            "noise too; look at the reason",
            unstable=True,
        )
    per_pair = events.launches_per_pair(runner.submit, runner.stream)
    pairs = int(np.clip(duration_s / events.PAIR_SECONDS, FEWEST_PAIRS, MOST_PAIRS))
    warm = pairs // 3  # the clock rises and the host gets ahead
    samples = events.launches_time(runner.submit, runner.stream, pairs=warm + pairs, per_pair=per_pair)
    return float(np.median(samples[warm:]))


def _spread(values: list[float] | list[int]) -> float:
    """Largest minus smallest, over the median."""
    return float((max(values) - min(values)) / np.median(values))


def _layers_keep(bench: Bench, runner: Runner, findings: Findings) -> None:
    """Leave what the engine is made of, and the time of each layer, as files of the report."""
    if not isinstance(runner, Layered) or bench.assets.engine is None:
        return
    try:
        times = [{"layer": layer, "seconds": seconds} for layer, seconds in runner.layer_times()]
        texts = {"layers": runner.inspect(), "layer-times": json.dumps(times, indent=1)}
    except MeasureError as error:
        findings.remark("no-layers", f"the engine's layers are not in the report: {error}")
        return
    for name, text in texts.items():
        path = bench.workdir / f"{bench.assets.engine.path.name}.b{bench.case.batch}.{name}.json"
        path.write_text(text)
        findings.artifacts.append(Artifact.seal(path, "profile"))


def _loads_measure(bench: Bench, findings: Findings) -> None:
    """Seconds of each load (n,), the first left out: it pays for what the library sets up once."""
    seconds: list[float] = []
    with collector_paused():
        while len(seconds) <= 1 or (sum(seconds) < LOADS_SECONDS and len(seconds) <= LOADS_MOST):
            runner = runner_open(bench.case.runner, bench.assets)
            started = time.perf_counter()
            with runner:
                seconds.append(time.perf_counter() - started)
    loads = np.asarray(seconds[1:])
    findings.add("load_time", median_bootstrap(loads), loads)
