"""How each runner is profiled: by its own profiler, after warming up, for a few inferences."""

from __future__ import annotations

import gzip
import importlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.errors import CannotRun, MeasureError
from benchmarks.layers import Layers, layers_parse, layers_read
from benchmarks.layers.graph import origins_refine
from benchmarks.runners.base import Assets, Runner
from benchmarks.runners.table import runner_open
from benchmarks.suites.build import Layered

WARM = 3  # inferences before the profiler counts
FEWEST, MOST = 2, 20  # inferences that are profiled
SECONDS_MOST = 20.0  # that they may take together, without what the profiler adds


@dataclass(frozen=True)
class Recorded:
    """What a profiler left: the layers, and its own file with the ending that people know it by."""

    layers: Layers
    file: Path
    ending: str
    doubts: Mapping[str, str]


def recorder_of(runner: str) -> Callable[[str, Assets, int, Path], Recorded]:
    """The function that profiles `runner`: called with its name, its assets, the batch and a folder.

    It raises CannotRun where this machine cannot, MeasureError where the profiler tells nothing.
    """
    return _RECORDERS[runner]


def passes_choose(runner: Runner) -> int:
    """Warm up, and say how many inferences to profile."""
    for _ in range(WARM):
        started = time.perf_counter()
        runner.infer()
        lasted = time.perf_counter() - started
        if lasted * FEWEST > SECONDS_MOST:
            return FEWEST
    return max(FEWEST, min(MOST, int(SECONDS_MOST / max(lasted, 1e-9))))


def _torch_record(name: str, assets: Assets, batch: int, folder: Path) -> Recorded:
    target = folder / "trace.json.gz"
    with runner_open(name, assets) as runner:
        runner.bind(batch)
        passes = passes_choose(runner)
        tracing = importlib.import_module("benchmarks.runners.torch_layers")  # torch: there by now
        tracing.trace_record(runner.infer, passes, target, modules=name == "torch")
    return Recorded(layers_read(target), target, "trace.json.gz", {})


def _onnxruntime_record(name: str, assets: Assets, batch: int, folder: Path) -> Recorded:
    prefix = folder / "trace"
    # a replayed graph is one launch, in which no node is seen
    asked = replace(assets, options=(*assets.options, ("graph", False), ("trace", str(prefix))))
    with runner_open(name, asked) as runner:
        runner.bind(batch)
        for _ in range(passes_choose(runner)):
            runner.infer()
    # written when the session ends; one that was opened in vain has left a small one
    written = max(folder.glob("trace*.json"), key=lambda path: path.stat().st_size, default=None)
    if written is None:
        raise MeasureError("onnxruntime wrote no profile; its session may be held by something else")
    layers = layers_read(written)
    if assets.onnx is not None:
        graph = importlib.import_module("benchmarks.models.nodes")  # onnx: there, for there is a graph
        layers = origins_refine(layers, graph.nodes_read(assets.onnx.path))
    doubts = {}
    if assets.device == "cuda":
        doubts["host-times"] = (
            "onnxruntime's profile has the time that the host took to enqueue each node, and not the GPU's "
            "own; the trace of Nsight Systems has both, where it is installed"
        )
    return Recorded(layers, _compressed(written), "trace.json.gz", doubts)


def _engine_record(name: str, assets: Assets, batch: int, folder: Path) -> Recorded:
    with runner_open(name, assets) as runner:
        runner.bind(batch)
        if not isinstance(runner, Layered):
            raise CannotRun(f"{name} does not tell of its layers")
        times = [{"layer": layer, "seconds": seconds} for layer, seconds in runner.layer_times()]
        inspected = runner.inspect().encode()
    layers = layers_parse(inspected, name="the inspector's answer", times=json.dumps(times).encode())
    target = folder / "inspector.json"
    target.write_bytes(inspected)
    return Recorded(layers, _compressed(target), "inspector.json.gz", {})


_RECORDERS: dict[str, Callable[[str, Assets, int, Path], Recorded]] = {
    "torch": _torch_record,
    "torch_compile": _torch_record,
    "onnxruntime": _onnxruntime_record,
    "onnxruntime_tensorrt": _onnxruntime_record,
    "tensorrt": _engine_record,
    "tensorrt_rtx": _engine_record,
}


def _compressed(path: Path) -> Path:
    target = path.with_name(f"{path.name}.gz")
    with path.open("rb") as source, gzip.GzipFile(target, "wb", mtime=0) as stream:
        shutil.copyfileobj(source, stream)
    path.unlink()
    return target
