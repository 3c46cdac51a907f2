"""Memory counters of this process, the exact ones first (Linux, glibc).

What C's allocator has given out (`mallinfo2`) and what a GPU runner's allocator has given out move by
the byte; resident memory moves by pages and what NVML books by 2 MiB.  A counter that is not there
is None, and `missing` says why.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from benchmarks.gauge import NO_GAUGE, Gauge

ABSENT = -1  # how a stream writes None


@dataclass(frozen=True)
class Counter:
    """One row.  `grain` is the growth, in its unit, that says nothing; `metric` reports its slope.

    `memory` says which memory ends when it grows: `host`, `gpu` or none.
    """

    name: str
    words: str
    grain: float
    metric: str
    memory: Literal["host", "gpu", ""] = ""


COUNTERS: tuple[Counter, ...] = (
    Counter("host_heap", "memory that C's allocator gave out", 16 * 2**10, "leak_host_heap", "host"),
    Counter("host_resident", "resident memory", 2**20, "leak_host_resident", "host"),
    Counter("python_objects", "Python's small objects", 200, "leak_python_objects"),
    Counter("gpu_allocated", "memory that the GPU allocator gave out", 2**16, "leak_gpu_allocated", "gpu"),
    Counter("gpu_process", "memory that NVML books on the GPU", 2**23, "leak_gpu_process", "gpu"),
)

_ANONYMOUS = re.compile(rb"(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB")


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


@dataclass
class Counters:
    """Reads every counter of this process at once; a context manager.

    `allocator` tells what the GPU runner's own allocator has given out, in bytes, or None where the
    runner has none; `gauge` is the GPU's.
    """

    allocator: Callable[[], int | None] = lambda: None
    gauge: Gauge = NO_GAUGE
    missing: dict[str, str] = field(default_factory=dict)
    _status: int = -1
    _whole_gpu: bool = False
    _mallinfo2: Callable[[], _Mallinfo2] | None = None

    def __enter__(self) -> Self:
        self._mallinfo2 = _mallinfo2_find()
        if self._mallinfo2 is None:
            self.missing["host_heap"] = (
                "it is not watched, the C library has no mallinfo2 (glibc 2.33 and later have it)"
            )
        try:
            self._status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.missing["host_resident"] = f"it is not watched, the kernel does not tell: {error}"
        if self.gauge.process_bytes(os.getpid()) is None and self.gauge.device_bytes() is not None:
            self._whole_gpu = True
            self.missing["gpu_process"] = (
                "NVML does not tell this process's part here, so the whole GPU's is watched; others on it "
                "would be taken for the model"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status >= 0:
            os.close(self._status)
            self._status = -1

    def read(self) -> tuple[int, ...]:
        """A value per row of `COUNTERS`, `ABSENT` where there is none.

        Garbage is collected before, unless the watched code has switched its collector off: what
        waits for a collection is no leak.
        """
        if gc.isenabled():
            gc.collect()
        given_out = self.allocator()
        return (
            self._heap(),
            self._resident(),
            sys.getallocatedblocks(),
            ABSENT if given_out is None else given_out,
            self._gpu_process(),
        )

    def _heap(self) -> int:
        if self._mallinfo2 is None:
            return ABSENT
        info = self._mallinfo2()
        return int(info.uordblks + info.hblkhd)

    def _resident(self) -> int:
        """Anonymous and shared memory, resident or swapped; pages of files come and go as they like."""
        if self._status < 0:
            return ABSENT
        found = _ANONYMOUS.findall(os.pread(self._status, 8192, 0))
        return sum(int(number) for number in found) * 1024 if found else ABSENT

    def _gpu_process(self) -> int:
        gauge = self.gauge
        held = gauge.device_bytes() if self._whole_gpu else gauge.process_bytes(os.getpid())
        return ABSENT if held is None else held


def _mallinfo2_find() -> Callable[[], _Mallinfo2] | None:
    if sys.platform != "linux":
        return None
    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is None:
        return None
    function.restype, function.argtypes = _Mallinfo2, []
    found: Callable[[], _Mallinfo2] = function
    return found
