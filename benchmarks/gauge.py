"""The GPU's state beside the samples: clocks, temperature, power, throttling, energy, who else is there.

Read between blocks of samples, never from a thread of this process: that would disturb what it watches.
What fills the time between two readings (utilisation) NVML keeps itself and tells afterwards.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np

from benchmarks.nvml import gpu_handle, nvml_open

Values = dict[str, float | None]

MOST_READINGS = 200
# bits of nvmlDeviceGetCurrentClocksEventReasons (nvml.h): the GPU is held back, and by whom
POWER_CAP = 0x04
HELD_BACK = {
    0x08: "a hardware slowdown",
    0x20: "heat (software)",
    0x40: "heat (hardware)",
    0x80: "the power supply's brake",
}


class Gauge:
    """No GPU: nothing to read."""

    readings: tuple[tuple[float, Values], ...] = ()

    def read(self) -> Values:
        """The state now, kept with its time; empty where there is no GPU."""
        return {}

    def energy_joules(self) -> float | None:
        """The driver's energy counter, in joules; None where there is none."""
        return None

    def utilisation(self) -> float | None:
        """The share of time in which a kernel ran since the gauge was opened; None where not told."""
        return None

    def process_bytes(self, pid: int) -> int | None:
        """Device memory that process `pid` holds, in bytes; None where not told."""
        return None

    def foreign(self, own: set[int]) -> set[int]:
        """Processes that compute on the GPU and are not `own`."""
        return set()


NO_GAUGE = Gauge()


@dataclass
class GpuGauge(Gauge):
    """Readings of the GPU that CUDA calls number 0, from NVML.  A context manager."""

    _stack: ExitStack = field(default_factory=ExitStack)
    _nvml: Any = None
    _handle: Any = None
    _started: float = 0.0
    _since_us: int = 0
    _kept: list[tuple[float, Values]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._nvml = self._stack.enter_context(nvml_open())
        self._handle = gpu_handle(self._nvml)
        self._started = time.perf_counter()
        self._since_us = time.time_ns() // 1000  # NVML stamps its samples with the wall clock
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def readings(self) -> tuple[tuple[float, Values], ...]:  # type: ignore[override]
        """Every reading kept, with its seconds since the gauge was opened; evenly thinned."""
        step = max(1, -(-len(self._kept) // MOST_READINGS))
        return tuple(self._kept[::step])

    def read(self) -> Values:
        """Clocks (Hz), temperature (°C), power (W), energy (J since the driver was loaded), throttle bits."""
        nvml, handle = self._nvml, self._handle
        readers: dict[str, Callable[[], float]] = {
            "sm_clock": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM) * 1e6,
            "memory_clock": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM) * 1e6,
            "temperature": lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
            "power": lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3,
            "throttle": lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle),
        }
        values: Values = {name: self._try(reader) for name, reader in readers.items()}
        values["energy"] = self.energy_joules()
        self._kept.append((time.perf_counter() - self._started, values))
        return values

    def energy_joules(self) -> float | None:
        """NVML's total energy counter; it counts millijoules."""
        return self._try(lambda: self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle) / 1e3)

    def utilisation(self) -> float | None:
        """The mean of the samples that NVML took itself; None when it took none yet."""
        nvml = self._nvml
        try:
            kind, samples = nvml.nvmlDeviceGetSamples(
                self._handle, nvml.NVML_GPU_UTILIZATION_SAMPLES, self._since_us
            )
        except nvml.NVMLError:
            return None
        values = [_sample_value(nvml, kind, sample.sampleValue) for sample in samples]
        return float(np.mean(values)) / 100 if values else None

    def process_bytes(self, pid: int) -> int | None:
        """What NVML books on `pid`; in a container it may know the process by another number."""
        try:
            processes = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        except self._nvml.NVMLError:
            return None
        for process in processes:
            if process.pid == pid and process.usedGpuMemory is not None:
                return int(process.usedGpuMemory)
        return None

    def foreign(self, own: set[int]) -> set[int]:
        """Those with a compute context; a number unknown here may be our own outside its container."""
        try:
            processes = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        except self._nvml.NVMLError:
            return set()
        return {process.pid for process in processes if process.pid not in own and _exists(process.pid)}

    def _try(self, reader: Callable[[], float]) -> float | None:
        try:
            return float(reader())
        except self._nvml.NVMLError:
            return None


def held_back(values: Values) -> list[str]:
    """Why the GPU ran slower than it could, in words; a power cap is the model's own doing and not told."""
    bits = int(values.get("throttle") or 0)
    return [words for bit, words in HELD_BACK.items() if bits & bit]


def _sample_value(nvml: Any, kind: int, value: Any) -> float:
    fields = {
        nvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
        nvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
        nvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
        nvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
    }
    return float(getattr(value, fields.get(kind, "uiVal")))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
