"""Host memory of this process, from the kernel's own counters (Linux, proc(5))."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.errors import CannotRun

_STATUS = Path("/proc/self/status")
_MAPS = Path("/proc/self/smaps")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): resets the peak resident set size to the present one
_M_MMAP_THRESHOLD = -3  # malloc.h
_MAPPED_FROM = 64 * 1024  # bytes
_MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)$")
_LIBRARY = re.compile(r"\.so(\.[0-9.]+)?$")


@dataclass
class HostWatch:
    """The most that this process held, in bytes, above its size `before`; the libraries' code left out.

    It is read in windows, so that code which a later window brings in is not taken off a peak that
    an earlier one had.
    """

    before: int
    most: int = 0

    @classmethod
    def begin(cls) -> Self:
        """From the present size on.

        Raises:
            CannotRun: the kernel does not tell the peak, or does not let it be reset.
        """
        library_bytes()  # once unmeasured: reading has small costs of its own, paid the first time
        allocator_fix()
        memory_trim()
        peak_reset()
        return cls(resident_bytes() - library_bytes())

    def window_end(self) -> None:
        """End one window and begin the next."""
        self.most = max(self.most, peak_bytes() - library_bytes())
        peak_reset()

    @property
    def peak(self) -> int:
        """Bytes above the size before."""
        return self.most - self.before


def memory_trim() -> None:
    """Collect garbage and give the allocator's free pages back to the kernel (glibc)."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def allocator_fix() -> None:
    """Make glibc map every block of 64 KiB or more by itself, for the rest of this process.

    By default its threshold moves with what was freed before, and a freed block in the heap stays
    resident or not by where its neighbours happen to lie: ResNet-50's peak varied by 2 % between
    equal processes, and by 0.2 % with a fixed threshold.  The peak is then that of live memory.
    """
    if sys.platform == "linux":
        tune = getattr(ctypes.CDLL(None), "mallopt", None)
        if tune is not None:
            tune(_M_MMAP_THRESHOLD, _MAPPED_FROM)


def peak_reset() -> None:
    """Make the peak start again from the present resident size.

    Raises:
        CannotRun: the kernel does not allow it.
    """
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError as error:
        raise CannotRun(f"the peak of resident memory cannot be reset here ({_CLEAR}: {error})") from error


def resident_bytes() -> int:
    """Resident memory now, in bytes."""
    return _status_read("VmRSS")


def peak_bytes() -> int:
    """The most resident memory since `peak_reset`, in bytes."""
    return _status_read("VmHWM")


def library_bytes() -> int:
    """Resident pages of shared libraries as they are on disk, in bytes.

    How many of them a first call touches depends on what the kernel had cached, which says nothing
    about the model: the same process counts 13 MB after boot and 21 MB an hour later.

    Raises:
        CannotRun: the kernel does not tell.
    """
    try:
        return _library_pages() * 1024
    except OSError as error:
        raise CannotRun(f"the pages of shared libraries are not told here ({error})") from error


def _library_pages() -> int:
    """The same in KiB, as the kernel counts them."""
    total, inside = 0, False
    with _MAPS.open() as lines:  # line by line: the whole text is a megabyte that would be measured too
        for line in lines:
            mapping = _MAPPING.match(line)
            if mapping:
                inside = _LIBRARY.search(mapping.group(1)) is not None
            elif inside and line.startswith("Rss:"):
                total += int(line.split()[1])
            elif inside and line.startswith("Anonymous:"):
                total -= int(line.split()[1])
    return total


def _status_read(name: str) -> int:
    try:
        text = _STATUS.read_text()
    except OSError as error:
        raise CannotRun(f"the size of this process is not told here ({error})") from error
    match = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    if match is None:
        raise CannotRun(f"{_STATUS} does not tell {name}")
    return int(match.group(1)) * 1024
