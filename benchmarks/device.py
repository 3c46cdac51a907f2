"""Which processor the cases run on, and how many threads they may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from benchmarks.nvml import gpu_count

DeviceKind = Literal["cpu", "cuda"]


def device_choose() -> DeviceKind:
    """`cuda` when the NVIDIA driver sees a GPU that CUDA_VISIBLE_DEVICES does not hide.

    A library that cannot use that GPU is then refused by name rather than run on the CPU unsaid.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1", "NoDevFiles"):
        return "cpu"
    return "cuda" if gpu_count() > 0 else "cpu"


def threads_choose() -> int:
    """The cores this process may run on; the worker pins its child, often to one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cuda_started() -> bool:
    """Whether this process has initialised CUDA, after which a forked child could not use it (Linux).

    The driver opens its memory manager's device then, and NVML never does.
    """
    try:
        entries = list(Path("/proc/self/fd").iterdir())
    except OSError:
        return False  # not Linux: a GPU's driver is loaded by spawned children alone there
    return any(_target(entry).startswith("nvidia-uvm") for entry in entries)


def _target(entry: Path) -> str:
    try:
        return entry.readlink().name
    except OSError:  # closed meanwhile, as the folder's own is
        return ""
