"""Suite `cold_start`: what passes before the first answer, each time in a fresh process.

| metric | from | to |
| --- | --- | --- |
| libraries_time | start of the process | interpreter and libraries are there; on a GPU the bare context too |
| eager_load_time | libraries are there | the model can be asked; on a GPU with every kernel loaded at once |
| lazy_load_time | libraries are there | the same on a GPU with kernels loaded at first use, CUDA's default |
| first_inference_time | the model can be asked | the first answer |
| cold_start_time | start of the process | the first answer, as anybody starts it |
| cached_load_time | libraries are there | the model can be asked, from what an earlier start left |
| hot_update_time | new weights are there | the first answer of a running model that has them |

Code that a model's own source imports is loaded with the model.
An ONNX file or an engine is dropped from the page cache before each start, so that it is read from
the disk, and its digest is checked in each load; the libraries' files stay cached (dropping those
takes root).  What an earlier start left is read from the page cache.  Each median is over three
processes or more.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np

from benchmarks.artifacts import Artifact
from benchmarks.errors import CannotRun
from benchmarks.files import bytes_read, file_forget
from benchmarks.isolation import isolated
from benchmarks.runners.base import Assets
from benchmarks.runners.table import ROWS, runner_open
from benchmarks.stats import median_bootstrap
from benchmarks.suites.base import Bench, Findings

Answer = TypeVar("Answer")

FEWEST = 3
MOST = 9
# how models of a kind are kept and exchanged: files with three functions, `keep` (what an earlier start
# leaves), `kept_load` and `update` (seconds)
LOADINGS = {
    "module": "benchmarks.runners.loading_torch",
    "onnx": "benchmarks.runners.loading_onnxruntime",
    "engine": "benchmarks.runners.loading_engine",
}
COMPILER = "torch_compile"  # its code outlives a process, in a folder that this variable names
COMPILER_CACHE = "TORCHINDUCTOR_CACHE_DIR"
MODULE_LOADING = "CUDA_MODULE_LOADING"


@dataclass(frozen=True)
class Start:
    """One start, in seconds; `read` is in bytes, None where the kernel does not tell.

    `update` is in seconds, `kept` what this start left for the next: None where nobody asked, an error
    where there is none.
    """

    libraries: float
    load: float
    first: float
    read: int | None
    update: float | CannotRun | None = None
    kept: Artifact | CannotRun | None = None

    @property
    def total(self) -> float:
        """From the start of the process to its first answer."""
        return self.libraries + self.load + self.first


def cold_start_measure(bench: Bench) -> Findings:
    """Times of starting, loading and exchanging the model, in seconds."""
    findings = Findings(bench.case)
    with TemporaryDirectory(dir=bench.workdir, prefix="cold-start-") as folder:
        _measure(bench, findings, Path(folder))
    return findings


def _measure(bench: Bench, findings: Findings, folder: Path) -> None:
    on_gpu = bench.assets.device == "cuda"
    starts = _starts(bench, [_cache(bench, folder, place) for place in range(MOST)], keep_in=folder)
    _add(findings, "cold_start_time", [start.total for start in starts])
    _add(findings, "libraries_time", [start.libraries for start in starts])
    _add(findings, "first_inference_time", [start.first for start in starts])
    _add(findings, "lazy_load_time" if on_gpu else "eager_load_time", [start.load for start in starts])
    if on_gpu:
        eager = [_cache(bench, folder, MOST + place) | {MODULE_LOADING: "EAGER"} for place in range(FEWEST)]
        _add(findings, "eager_load_time", [start.load for start in _starts(bench, eager)])
    read = [start.read for start in starts if start.read is not None]
    if read:
        _add(findings, "loaded_bytes", read)
    _or_remark(
        findings, "cached_load_time", "no-cached-load", lambda: _cached_loads(bench, folder, starts[0])
    )
    _or_remark(findings, "hot_update_time", "no-hot-update", lambda: [_told(one.update) for one in starts])


def _starts(bench: Bench, environments: list[dict[str, str]], keep_in: Path | None = None) -> list[Start]:
    """A start in each environment: three, then more until the duration is over.

    With `keep_in` each exchanges its weights too, and the first leaves there what a cached load reads.
    """
    end = time.monotonic() + bench.case.duration_s
    starts: list[Start] = []
    for place, environment in enumerate(environments):
        if place >= FEWEST and time.monotonic() >= end:
            break
        for file in (bench.assets.onnx, bench.assets.engine):
            if file is not None:
                for part in (file, *file.beside):
                    file_forget(part.path)
        more = (keep_in is not None, None if place else keep_in)
        began = time.monotonic()
        starts.append(isolated(start_time, *_asked(bench), began, *more, environment=environment))
    return starts


def start_time(
    runner_name: str, assets: Assets, batch: int, began: float, update: bool, keep_in: Path | None
) -> Start:
    """Load and ask in this process, which `began` at that moment of the monotonic clock.

    Once it has answered, its weights are exchanged on `update`, and what a cached load reads is left
    in `keep_in`.
    """
    runner = runner_open(runner_name, assets)
    _gpu_ready(assets)
    read, ready = bytes_read(), time.monotonic()
    with runner:
        runner.bind(batch)
        loaded, read_then = time.monotonic(), bytes_read()
        runner.infer()
        answered = time.monotonic()
    loading = _loading(runner_name)
    return Start(
        libraries=ready - began,
        load=loaded - ready,
        first=answered - loaded,
        read=None if read is None or read_then is None else read_then - read - _digested(runner_name, assets),
        update=_or_why(loading.update, runner_name, assets, batch) if update else None,
        kept=_or_why(loading.keep, runner_name, assets, batch, keep_in) if keep_in else None,
    )


def _digested(runner_name: str, assets: Assets) -> int:
    """Bytes that checking the digest reads, which are no part of loading."""
    file = {"onnx": assets.onnx, "engine": assets.engine}.get(ROWS[runner_name].loads)
    return file.whole_size if file else 0


def _cached_loads(bench: Bench, folder: Path, first: Start) -> list[float]:
    """Seconds of loads from what the first start left: kept weights, an optimised graph, compiled code."""
    if bench.case.runner == COMPILER:
        return [start.load for start in _starts(bench, [_cache(bench, folder, 0)] * FEWEST)]
    kept = _told(first.kept)
    return [isolated(kept_time, *_asked(bench), kept) for _ in range(FEWEST)]


def kept_time(runner_name: str, assets: Assets, batch: int, kept: Artifact) -> float:
    """Seconds of a cached load in this process, its libraries there already."""
    runner_open(runner_name, assets)
    loading = _loading(runner_name)
    _gpu_ready(assets)
    seconds: float = loading.kept_load(runner_name, assets, kept, batch)
    return seconds


def _or_why(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except CannotRun as error:
        return error


def _told(value: Answer | CannotRun | None) -> Answer:
    if isinstance(value, CannotRun):
        raise value
    if value is None:
        raise CannotRun("the start was not asked for it")
    return value


def _or_remark(findings: Findings, metric: str, code: str, seconds: Callable[[], list[float]]) -> None:
    """The metric, or a remark that says why this runner or machine has none."""
    try:
        _add(findings, metric, seconds())
    except CannotRun as error:
        findings.remark(code, f"{metric} was not measured: {error}")


def _add(findings: Findings, metric: str, values: list[float] | list[int]) -> None:
    samples = np.asarray(values, dtype=float)
    findings.add(metric, median_bootstrap(samples), samples)


def _asked(bench: Bench) -> tuple[str, Assets, int]:
    return bench.case.runner, bench.assets, bench.case.batch


def _cache(bench: Bench, folder: Path, place: int) -> dict[str, str]:
    """For torch.compile: where its code lies, the same folder for the same `place`."""
    return {COMPILER_CACHE: os.fspath(folder / f"compiled{place}")} if bench.case.runner == COMPILER else {}


def _loading(runner_name: str) -> Any:
    return importlib.import_module(LOADINGS[ROWS[runner_name].loads])


def _gpu_ready(assets: Assets) -> None:
    if assets.device == "cuda":
        importlib.import_module("benchmarks.gpu.context").gpu_ready()
