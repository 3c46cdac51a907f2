"""The GPUs of this machine as a worker sees them: who they are, how they feel, who else uses them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from benchmarks.nvml import nvml_open

log = structlog.get_logger(__name__)


class GpuLostError(Exception):
    """The leased GPU does not answer any more; the message says which one and what to do."""


@dataclass(frozen=True)
class Gpu:
    """One GPU; `index` is NVML's (PCI bus order), `cores` are the processor's cores near it."""

    index: int
    uuid: str
    name: str
    driver: str
    cores: tuple[int, ...]
    memory_bytes: int


def gpu_list() -> list[Gpu]:
    """Every GPU the driver shows, in PCI bus order; empty without a driver or without NVML."""
    with nvml_open() as nvml:
        if isinstance(nvml, str):
            log.debug("no GPU", reason=nvml)
            return []
        return [_gpu_read(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]


def _gpu_read(nvml: Any, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    return Gpu(
        index=index,
        uuid=nvml.nvmlDeviceGetUUID(handle),
        name=nvml.nvmlDeviceGetName(handle),
        driver=nvml.nvmlSystemGetDriverVersion(),
        cores=_near_cores(nvml, handle),
        memory_bytes=nvml.nvmlDeviceGetMemoryInfo(handle).total,
    )


def _near_cores(nvml: Any, handle: Any) -> tuple[int, ...]:
    """Cores of the GPU's NUMA node; empty where NVML cannot tell."""
    words = ((os.cpu_count() or 1) + 63) // 64
    try:
        masks = nvml.nvmlDeviceGetCpuAffinity(handle, words)
    except nvml.NVMLError as error:
        log.debug("the near cores are not known", reason=str(error))
        return ()
    return tuple(64 * word + bit for word, mask in enumerate(masks) for bit in range(64) if mask >> bit & 1)


def telemetry_read(uuid: str) -> dict[str, float | None]:
    """Temperature (°C), power (W), clocks (Hz), utilisation (ratio), memory (B), throttle bits, or None."""
    with nvml_open() as nvml:
        if isinstance(nvml, str):
            return {}
        try:
            handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        except nvml.NVMLError:
            return {}  # lost: the station says so before it claims again
        readings: dict[str, Callable[[], float]] = {
            "gpu_temperature": lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
            "gpu_power": lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3,
            "gpu_sm_clock": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM) * 1e6,
            "gpu_memory_clock": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM) * 1e6,
            "gpu_utilisation": lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
            "gpu_memory": lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used,
            "gpu_throttle": lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle),
        }
        return {name: _reading(nvml, read) for name, read in readings.items()}


def _reading(nvml: Any, read: Callable[[], float]) -> float | None:
    try:
        return float(read())
    except nvml.NVMLError:
        return None  # this GPU has no such sensor


def compute_processes(uuid: str) -> set[int]:
    """Process ids that hold a compute context on the GPU.

    Raises:
        GpuLostError: the GPU or its driver does not answer.
    """
    with nvml_open() as nvml:
        if isinstance(nvml, str):
            raise GpuLostError(f"GPU {uuid} is lost: {nvml}. Look at dmesg, then start the worker again.")
        try:
            handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
            return {process.pid for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle)}
        except nvml.NVMLError as error:
            raise GpuLostError(
                f"GPU {uuid} is lost: {error}. Look at dmesg, then start the worker again."
            ) from error
