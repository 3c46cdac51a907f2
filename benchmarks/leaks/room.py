"""How much memory is left to grow into, in bytes."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.nvml import gpu_handle, nvml_open

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


def host_room() -> int | None:
    """What this machine and this process's cgroups still have; None where the kernel does not tell."""
    try:
        text = _MEMINFO.read_text()
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)
    rooms = [int(found.group(1)) * 1024] if found else []
    return min([*rooms, *_cgroup_rooms()], default=None)


def gpu_room() -> int | None:
    """What is free on the GPU that CUDA calls number 0; None where NVML does not tell."""
    with nvml_open() as nvml:
        if isinstance(nvml, str):
            return None
        try:
            return int(nvml.nvmlDeviceGetMemoryInfo(gpu_handle(nvml)).free)
        except nvml.NVMLError:
            return None


def _cgroup_rooms() -> list[int]:
    """The room of this process's cgroup (version 2) and of those above that have a limit."""
    try:
        own = next(line for line in _CGROUP.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return []
    rooms, folder = [], _CGROUPS / own.removeprefix("0::").strip("/")
    while folder.is_relative_to(_CGROUPS):
        rooms += _limit_left(folder)
        folder = folder.parent
    return rooms


def _limit_left(folder: Path) -> list[int]:
    try:
        limit, used = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return []
    return [] if limit == "max" else [max(0, int(limit) - int(used))]
