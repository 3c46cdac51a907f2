"""The slow imports, done once: a worker that forks its children from here saves them in each job."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterable

from benchmarks.collector import collector_off
from benchmarks.runners.table import ROWS

EXPORT_MODULE = "benchmarks.export"
_MODULES = {
    "module": ("benchmarks.models.source",),
    "onnx": ("onnxruntime",),
    "engine": (),
}
_RUNNER_MODULES = {
    "torch_compile": ("torch._inductor.compile_fx",),  # else its seconds would count as compiling
    "tensorrt": ("tensorrt",),
    "tensorrt_rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings"),
}


def libraries_preload(runners: Iterable[str], *, export: bool) -> None:
    """Import what `runners` and, when `export`, the exporter need; what is not installed is left out.

    Importing starts neither CUDA nor a thread that computes, so a fork afterwards is safe;
    torch is told to ask NVML, not CUDA, whether there is a GPU, for the same reason.
    """
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    names = [EXPORT_MODULE] if export else []
    for runner in runners:
        names += [*_MODULES[ROWS[runner].loads], *_RUNNER_MODULES.get(runner, ())]
    modules_import(names)


def modules_import(names: Iterable[str]) -> None:
    """Import each that can be imported."""
    with collector_off():
        for name in names:
            # the case that needs it says so, by name and with the extra that brings it
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
