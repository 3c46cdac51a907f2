"""Every reading that a worker takes is one the site knows."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from workers import nvml, telemetry
from workers.messages import READINGS


class _Sensors:
    """NVML's functions, each of which answers something."""

    NVMLError = RuntimeError

    def __getattr__(self, name: str) -> object:
        if name.startswith("NVML_"):
            return 0
        answer = SimpleNamespace(gpu=1, used=1)
        return (
            (lambda *_: 1)
            if "Temperature" in name or "Power" in name or "Clock" in name
            else lambda *_: answer
        )


def test_the_gpus_and_the_machines_readings_are_all_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "nvml_open", lambda: _Opened())
    read = set(nvml.telemetry_read("GPU-1"))
    bench = SimpleNamespace(cores=(0,), gpu=None)
    nursery = SimpleNamespace(family=list)
    read |= set(telemetry.Telemetry(bench, nursery).read())  # type: ignore[arg-type]
    assert read == READINGS


class _Opened:
    def __enter__(self) -> _Sensors:
        return _Sensors()

    def __exit__(self, *_: object) -> None:
        pass
