"""The GPU's state beside the samples: clocks, temperature, power, throttling, energy, who else is there.

Read between blocks of samples, never from a thread of this process: that would disturb what it watches.
What fills the time between two readings (utilisation) NVML keeps itself and tells afterwards.
A reading that NVML does not give is None, and `missing` says why.
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

from benchmarks.isolation import process_family
from benchmarks.nvml import gpu_handle, nvml_open

Values = dict[str, float | None]

MOST_READINGS = 200
LOOK_EVERY_S = 1.0  # for processes of others
_ENABLED = 1  # nvmlEnableState_t
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

    @property
    def missing(self) -> dict[str, str]:
        """Why a reading is None, by its name, in NVML's own words."""
        return {}

    def read(self) -> Values:
        """The state now, kept with its time; empty where there is no GPU."""
        return {}

    def energy_joules(self) -> float | None:
        """The driver's energy counter, in joules; None where there is none."""
        return None

    def utilisation(self) -> float | None:
        """The share of time in which a kernel ran since the gauge was opened; None where not told."""
        return None

    def processes(self) -> dict[int, int | None]:
        """The processes that compute on the GPU, by number, and the bytes each holds (None: not told)."""
        return {}

    def process_bytes(self, pid: int) -> int | None:
        """Device memory that process `pid` holds, in bytes; None where not told."""
        return self.processes().get(pid)

    def process_peak_bytes(self, pid: int) -> int | None:
        """The most that `pid` ever held, by the driver's accounting; None where that is off."""
        return None

    def device_bytes(self) -> int | None:
        """Device memory in use by whomever, in bytes; None where not told."""
        return None

    def foreign(self) -> set[int]:
        """Processes of others that computed on the GPU at one of the readings, or do now."""
        return set()


NO_GAUGE = Gauge()


@dataclass
class GpuGauge(Gauge):
    """Readings of the GPU that CUDA calls number 0, from NVML.  A context manager.

    A GPU that NVML does not open leaves every reading None, with its reason.
    """

    _stack: ExitStack = field(default_factory=ExitStack)
    _nvml: Any = None
    _handle: Any = None
    _started: float = 0.0
    _since_us: int = 0
    _kept: list[tuple[float, Values]] = field(default_factory=list)
    _missing: dict[str, str] = field(default_factory=dict)
    _foreign: set[int] = field(default_factory=set)
    _looked: float = -LOOK_EVERY_S

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self._since_us = time.time_ns() // 1000  # NVML stamps its samples with the wall clock
        opened = self._stack.enter_context(nvml_open())
        if isinstance(opened, str):
            self._missing["gpu"] = opened
            return self
        try:
            self._handle = gpu_handle(opened)
            self._nvml = opened
        except opened.NVMLError as error:
            self._missing["gpu"] = f"NVML does not open the GPU: {error}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def missing(self) -> dict[str, str]:
        """Why a reading is None."""
        return dict(self._missing)

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
        values: Values = {name: self._number(name, reader) for name, reader in readers.items()}
        values["energy"] = self.energy_joules()
        self._kept.append((time.perf_counter() - self._started, values))
        self._strangers_look()
        return values

    def energy_joules(self) -> float | None:
        """NVML's total energy counter; it counts millijoules."""
        return self._number(
            "energy", lambda: self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle) / 1e3
        )

    def utilisation(self) -> float | None:
        """The mean of the samples that NVML took itself, a few each second; None when it took none yet."""
        nvml = self._nvml
        kind, samples = self._told(
            "utilisation",
            lambda: nvml.nvmlDeviceGetSamples(
                self._handle, nvml.NVML_GPU_UTILIZATION_SAMPLES, self._since_us
            ),
        ) or (0, [])
        values = [
            _sample_value(nvml, kind, sample.sampleValue)
            for sample in samples
            if sample.timeStamp > self._since_us  # drivers were seen to return older ones
        ]
        return float(np.mean(values)) / 100 if values else None

    def processes(self) -> dict[int, int | None]:
        """As NVML lists them; in a container it may know a process by another number, or list none."""
        found = self._told("processes", lambda: self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle))
        return {
            process.pid: None if process.usedGpuMemory is None else int(process.usedGpuMemory)
            for process in found or ()
        }

    def process_peak_bytes(self, pid: int) -> int | None:
        """The peak since the process first used the GPU; told after its end too."""
        nvml, handle = self._nvml, self._handle
        mode = self._told("accounting", lambda: nvml.nvmlDeviceGetAccountingMode(handle))
        if mode != _ENABLED:
            return None
        stats = self._told("accounting", lambda: nvml.nvmlDeviceGetAccountingStats(handle, pid))
        return int(stats.maxMemoryUsage) if stats is not None and stats.maxMemoryUsage else None

    def device_bytes(self) -> int | None:
        """What is used of the whole GPU, the driver's own part included."""
        memory = self._told("device_memory", lambda: self._nvml.nvmlDeviceGetMemoryInfo(self._handle))
        return None if memory is None else int(memory.used)

    def foreign(self) -> set[int]:
        """Those with a compute context; a number unknown here may be our own outside its container."""
        self._looked = -LOOK_EVERY_S
        self._strangers_look()
        return set(self._foreign)

    def _strangers_look(self) -> None:
        """Keep who is on the GPU and none of ours; not at every reading, for the list costs a millisecond."""
        now = time.perf_counter() - self._started
        if now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        strangers = {pid for pid in self.processes() if pid != os.getpid() and _exists(pid)}
        if strangers:
            self._foreign |= strangers - process_family()

    def _number(self, name: str, reader: Callable[[], float]) -> float | None:
        value = self._told(name, reader)
        return None if value is None else float(value)

    def _told(self, name: str, reader: Callable[[], Any]) -> Any:
        """What `reader` reads, None where NVML refuses; its words are kept under `name`."""
        if self._nvml is None:
            return None
        try:
            return reader()
        except self._nvml.NVMLError as error:
            # "not found" is no fault: there is nothing yet to tell of
            if error.value != self._nvml.NVML_ERROR_NOT_FOUND:
                self._missing[name] = f"NVML does not tell: {error}"
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
