"""Facts of the machine and its toolchain; a missing one is None with its reason."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path

from benchmarks.device import DeviceKind, threads_choose
from benchmarks.nvml import gpu_facts
from benchmarks.report import Environment, Fact

_PACKAGES = {
    "torch": ("torch",),
    "onnx": ("onnx",),
    "onnxscript": ("onnxscript",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "tensorrt": ("tensorrt",),
    "tensorrt_rtx": ("tensorrt_rtx_cu13_bindings", "tensorrt_rtx_cu12_bindings", "tensorrt_rtx"),
    "transformers": ("transformers",),
    "numpy": ("numpy",),
}

# what changes how fast the same libraries compute on the same machine
_SETTINGS = (
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_MAX_CONNECTIONS",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING",
    "LD_PRELOAD",
    "MALLOC_ARENA_MAX",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_NUM_THREADS",
    "NPY_DISABLE_CPU_FEATURES",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_NUM_THREADS",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TORCH_CUDNN_V8_API_DISABLED",
)


def environment_read(device: DeviceKind) -> Environment:
    """Every fact that can be read without loading a heavy library."""
    facts: dict[str, Fact] = {
        "device": device,
        "cpu_model": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "cpu_threads": threads_choose(),
        "cpu_affinity": _affinity(),
        "memory_bytes": _memory_bytes(),
        "os": platform.platform(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "settings": _settings(),
    }
    missing = {name: "this platform does not tell" for name, value in facts.items() if value is None}
    for name, distributions in _PACKAGES.items():
        facts[f"{name}_version"] = version = _version(name, distributions)
        if version is None:
            missing[f"{name}_version"] = "not installed"
    gpu, gpu_missing = gpu_facts()
    return Environment(facts={**facts, **gpu}, missing={**missing, **gpu_missing})


def _version(module: str, distributions: tuple[str, ...]) -> str | None:
    """Of the distributions installed side by side, the one that was imported if any was, else the first."""
    found = []
    for name in distributions:
        try:
            found.append(metadata.version(name))
        except metadata.PackageNotFoundError:
            continue
    loaded = getattr(sys.modules.get(module), "__version__", None)
    return next((version for version in found if version == loaded), found[0] if found else None)


def _cpu_model() -> str | None:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or None
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match.group(1) if match else platform.processor() or None


def _settings() -> str:
    """The environment variables that choose kernels, threads or allocators: `NAME=value NAME=value`."""
    set_here = {name: value for name in _SETTINGS if (value := os.environ.get(name)) is not None}
    return " ".join(f"{name}={value}" for name, value in sorted(set_here.items()))


def _affinity() -> str | None:
    if not hasattr(os, "sched_getaffinity"):
        return None
    return ",".join(str(core) for core in sorted(os.sched_getaffinity(0)))


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
