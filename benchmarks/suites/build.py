"""Suite `build`: what it takes to get from the source to something that runs."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.collector import collector_paused
from benchmarks.errors import CannotRun
from benchmarks.runners.table import ROWS, runner_open
from benchmarks.stats import median_bootstrap
from benchmarks.suites.base import Bench, Findings

LOADS_MOST = 7
LOADS_SECONDS = 0.5


def build_measure(bench: Bench) -> Findings:
    """Sizes, counts and times of what this case's runner loads."""
    findings = Findings(bench.case)
    _MEASURES[ROWS[bench.case.runner].loads](bench, findings)
    return findings


def _module_measure(bench: Bench, findings: Findings) -> None:
    if bench.parameter_count is not None:
        findings.add("parameter_count", bench.parameter_count)
    loads = _loads_time(bench)
    findings.add("load_time", median_bootstrap(loads), loads)


def _onnx_measure(bench: Bench, findings: Findings) -> None:
    if bench.assets.onnx is not None:
        findings.add("model_size", bench.assets.onnx.size)
    if bench.export_s is not None:
        findings.add("export_time", bench.export_s)
    loads = _loads_time(bench)
    findings.add("load_time", median_bootstrap(loads), loads)


def _engine_measure(bench: Bench, findings: Findings) -> None:
    if bench.build is not None:
        findings.add("engine_build_success", 1.0)
        findings.add("engine_build_time", bench.build.seconds)
    if bench.assets.engine is not None:
        findings.add("engine_size", bench.assets.engine.size)
    try:
        with runner_open(bench.case.runner, bench.assets) as runner:
            findings.add("engine_layers", runner.layer_count())
    except CannotRun:
        return  # built without a GPU: only a loaded engine tells its layers


_MEASURES: dict[str, Callable[[Bench, Findings], None]] = {
    "module": _module_measure,
    "onnx": _onnx_measure,
    "engine": _engine_measure,
}


def _loads_time(bench: Bench) -> np.ndarray:
    """Seconds of each load (n,), the first left out: it pays for what the library sets up once."""
    seconds: list[float] = []
    with collector_paused():
        while len(seconds) <= 1 or (sum(seconds) < LOADS_SECONDS and len(seconds) <= LOADS_MOST):
            runner = runner_open(bench.case.runner, bench.assets)
            started = time.perf_counter()
            with runner:
                seconds.append(time.perf_counter() - started)
    return np.asarray(seconds[1:])
