"""Facts of the GPUs from NVML.  The package that brings `pynvml` is called nvidia-ml-py."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from benchmarks.report import Fact

try:
    import pynvml
except ModuleNotFoundError:  # comes with the extras `cpu` and `gpu`
    pynvml = None

WHY_MISSING = "nvidia-ml-py is not installed; pip install 'perfsite[gpu]' brings it"


@contextlib.contextmanager
def nvml_open() -> Iterator[Any]:
    """NVML's module between init and shutdown, or a sentence why there is none."""
    if pynvml is None:
        yield WHY_MISSING
        return
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        yield f"NVML does not start: {error}"
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def gpu_count() -> int:
    """GPUs that the driver sees; 0 without a driver or without NVML."""
    with nvml_open() as nvml:
        return 0 if isinstance(nvml, str) else int(nvml.nvmlDeviceGetCount())


def gpu_visible(devices: str | None) -> str | int:
    """The GPU CUDA calls number 0, as NVML knows it: a UUID or an index.

    `devices` is the value of CUDA_VISIBLE_DEVICES, which NVML itself ignores.
    """
    first = (devices or "0").split(",")[0].strip()
    return int(first) if first.isdigit() else first


def gpu_handle(nvml: Any) -> Any:
    """NVML's handle of the GPU that CUDA calls number 0.

    Raises:
        nvml.NVMLError: there is no such GPU.
    """
    wanted = gpu_visible(os.environ.get("CUDA_VISIBLE_DEVICES"))
    if isinstance(wanted, int):
        return nvml.nvmlDeviceGetHandleByIndex(wanted)
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        if nvml.nvmlDeviceGetUUID(handle).startswith(wanted):  # CUDA takes a UUID's beginning too
            return handle
    return nvml.nvmlDeviceGetHandleByUUID(wanted)


def gpu_facts() -> tuple[dict[str, Fact], dict[str, str]]:
    """Name, uuid, driver, CUDA version, memory (bytes) and clocks (MHz) of the GPU that is measured.

    The second value says why a fact is None.
    """
    with nvml_open() as nvml:
        if isinstance(nvml, str):
            return {"gpu_name": None}, {"gpu_name": nvml}
        try:
            handle = gpu_handle(nvml)
        except nvml.NVMLError as error:
            wanted = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
            return {"gpu_name": None}, {"gpu_name": f"no GPU {wanted!r} (CUDA_VISIBLE_DEVICES): {error}"}
        readers = {
            "gpu_name": lambda: nvml.nvmlDeviceGetName(handle),
            "gpu_uuid": lambda: nvml.nvmlDeviceGetUUID(handle),
            "gpu_driver": nvml.nvmlSystemGetDriverVersion,
            "gpu_driver_cuda": lambda: _cuda_version(nvml.nvmlSystemGetCudaDriverVersion()),
            "gpu_memory_bytes": lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).total),
            "gpu_sm_clock_max_mhz": lambda: int(nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM)),
            "gpu_power_limit_w": lambda: nvml.nvmlDeviceGetPowerManagementLimit(handle) / 1000,
            "gpu_ecc": lambda: bool(nvml.nvmlDeviceGetEccMode(handle)[0]),
        }
        return _facts_read(readers, nvml.NVMLError)


def _facts_read(
    readers: dict[str, Any], error_type: type[Exception]
) -> tuple[dict[str, Fact], dict[str, str]]:
    facts: dict[str, Fact] = {}
    missing: dict[str, str] = {}
    for name, read in readers.items():
        try:
            facts[name] = read()
        except error_type as error:
            facts[name] = None
            missing[name] = f"NVML does not tell: {error}"
    return facts, missing


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
