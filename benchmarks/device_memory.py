"""Device memory of a child process, watched from its parent by NVML while the child works."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from benchmarks.errors import CannotRun
from benchmarks.gauge import Gauge

_OWN, _WHOLE = 1, 2  # columns of a watch's rows

Window = tuple[float, float]  # two moments of time.monotonic(), which is one clock for all processes


@dataclass(frozen=True)
class DevicePeak:
    """What a child held at most, in bytes: `above` its `base`, which is the bare CUDA context.

    `whole_gpu` says that NVML does not tell the child's own part, so that the whole GPU's use stands
    in for it; `gap_s` is the longest time between two samples.
    """

    above: int
    base: int
    whole_gpu: bool
    gap_s: float


@dataclass
class DeviceWatch:
    """Samples of one child's device memory: the rows hold its own bytes and the whole GPU's.

    In a container NVML lists processes by their numbers outside: the child is then the one that was
    not there before it began.
    """

    gauge: Gauge
    before: frozenset[int] = frozenset()
    pid: int | None = None
    rows: list[tuple[float, int | None, int | None]] = field(default_factory=list)

    @classmethod
    def begin(cls, gauge: Gauge) -> DeviceWatch:
        """A watch that knows who was there; the child begins afterwards."""
        return cls(gauge, before=frozenset(gauge.processes()))

    def sample(self, pid: int) -> None:
        """Read once; to be called every 20 ms or faster while child `pid` works."""
        processes = self.gauge.processes()
        newcomers = processes.keys() - self.before
        if pid in processes:
            self.pid = pid
        elif len(newcomers) == 1:
            self.pid = next(iter(newcomers))
        own = None if self.pid is None else processes.get(self.pid)
        self.rows.append((time.monotonic(), own, self.gauge.device_bytes()))

    def peak(self, base: Window, work: Window) -> DevicePeak:
        """The most in the window `work` above the median in the window `base`.

        Raises:
            CannotRun: NVML tells neither the child's memory nor the GPU's, the GPU's is others' too, or it
                stood still.
        """
        for column in (_OWN, _WHOLE):
            before, during = self._column(column, base), self._column(column, work)
            if before.size and during.size:
                break
        else:
            why = "; ".join(sorted(set(self.gauge.missing.values()))) or "it lists no process here"
            raise CannotRun(
                f"NVML tells no memory of the measuring process ({why}); let the container reach NVML and "
                "share the host's process numbers"
            )
        whole_gpu = column == _WHOLE
        if whole_gpu and (foreign := self.gauge.foreign()):
            raise CannotRun(
                f"NVML does not tell the measuring process's own memory, and others ({sorted(foreign)}) use "
                "the GPU too; keep them off, or share the host's process numbers with the container"
            )
        floor, most = int(np.median(before)), int(during.max())
        if not whole_gpu and self.pid is not None:
            most = max(most, self.gauge.process_peak_bytes(self.pid) or 0)
        if most <= floor:
            raise CannotRun(
                f"NVML saw no memory taken by the model beyond the {floor} bytes of the context: its numbers "
                "stood still; update the driver, or let the container reach NVML"
            )
        return DevicePeak(most - floor, floor, whole_gpu, self._longest_gap(work))

    def _column(self, column: int, window: Window) -> np.ndarray:
        first, last = window
        return np.asarray([row[column] for row in self.rows if first <= row[0] <= last and row[column]])

    def _longest_gap(self, window: Window) -> float:
        first, last = window
        moments = [first, *(row[0] for row in self.rows if first <= row[0] <= last), last]
        return float(np.diff(moments).max())
