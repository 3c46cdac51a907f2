"""The runners, one row each: a new runner is one file in this folder and one row here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from benchmarks.cases import RUNNERS, name_checked
from benchmarks.errors import MissingLibrary
from benchmarks.runners.base import Assets, Runner


@dataclass(frozen=True)
class RunnerRow:
    """Where a runner is, what it loads, and which extra brings its library on each device."""

    module: str
    cls: str
    loads: str
    extra_cpu: str
    extra_cuda: str


ROWS: dict[str, RunnerRow] = {
    "torch": RunnerRow("torch_runner", "TorchRunner", "module", "cpu", "gpu"),
    "torch_compile": RunnerRow("torch_compile_runner", "TorchCompileRunner", "module", "cpu", "gpu"),
    "onnxruntime": RunnerRow("onnxruntime_runner", "OnnxRuntimeRunner", "onnx", "cpu", "gpu"),
    "onnxruntime_tensorrt": RunnerRow(
        "onnxruntime_runner", "OnnxRuntimeTensorRTRunner", "onnx", "gpu", "gpu"
    ),
    "tensorrt": RunnerRow("tensorrt_runner", "TensorRTRunner", "engine", "gpu", "gpu"),
    "tensorrt_rtx": RunnerRow("tensorrt_runner", "TensorRTRTXRunner", "engine", "rtx", "rtx"),
}


def runner_open(name: str, assets: Assets) -> Runner:
    """The runner called `name`, not yet loaded: use it in a `with` statement.

    Raises:
        ValueError: there is no such runner.
        MissingLibrary: its library is not installed; the message names the extra.
    """
    row = ROWS[name_checked(name, RUNNERS, "runner")]
    try:
        file = importlib.import_module(f"benchmarks.runners.{row.module}")
    except ModuleNotFoundError as error:
        extra = row.extra_cuda if assets.device == "cuda" else row.extra_cpu
        raise MissingLibrary(
            f"{name} needs {error.name}, which is not installed; pip install 'perfsite[{extra}]' brings it"
        ) from error
    runner: Runner = getattr(file, row.cls)(assets)
    return runner
