"""A stand-in for NVML at the outer edge: the real module's constants and errors, answers told by a test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pynvml

UUIDS = ("GPU-7968a6fa-3f4e-aaaa", "GPU-11111111-2222-bbbb")


def refusal(number: int) -> Exception:
    return pynvml.NVMLError(number)


class StandIn:
    """Answers by function name: a value, a call of the arguments, or an error to raise.

    What nobody told is not supported by this GPU.
    """

    def __init__(self, **answers: Any) -> None:
        self.opened = 0
        self.answers: dict[str, Any] = {
            "nvmlDeviceGetCount": len(UUIDS),
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetHandleByUUID": refusal(pynvml.NVML_ERROR_NOT_FOUND),
            "nvmlDeviceGetUUID": lambda handle: UUIDS[handle],
            **answers,
        }

    def nvmlInit(self) -> None:
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.opened -= 1

    def __getattr__(self, name: str) -> Any:
        if not name.startswith(("nvmlDevice", "nvmlSystem")):
            return getattr(pynvml, name)
        answer = self.answers.get(name, refusal(pynvml.NVML_ERROR_NOT_SUPPORTED))

        def call(*arguments: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return call


def process(pid: int, size: int | None) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, usedGpuMemory=size)


def healthy(**more: Any) -> StandIn:
    """A GPU at 1.98 GHz, 45 °C and 312.5 W with nobody on it."""
    return StandIn(
        **{
            "nvmlDeviceGetClockInfo": lambda handle, kind: 1980 if kind == pynvml.NVML_CLOCK_SM else 2619,
            "nvmlDeviceGetTemperature": 45,
            "nvmlDeviceGetPowerUsage": 312_500,
            "nvmlDeviceGetCurrentClocksThrottleReasons": 0,
            "nvmlDeviceGetTotalEnergyConsumption": 7_500,
            "nvmlDeviceGetComputeRunningProcesses": [],
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=600 * 2**20, total=80 * 2**30),
            "nvmlDeviceGetAccountingMode": 0,
            **more,
        }
    )
