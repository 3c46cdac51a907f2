"""A segment's readings on disk: fixed-size records, appended as they come, thinned when they get many.

One file per segment, one process that writes it.  When it holds as many records as it may, each two
neighbours become one (the lower memory, the later time) and from then on each record stands for
twice as many readings: hours take no more room than minutes.  A record that a kill has torn is left out.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from benchmarks.leaks.counters import COUNTERS

NAMES = tuple(row.name for row in COUNTERS)
RECORD = np.dtype(
    [
        ("seconds", "<f8"),  # since the segment began to count
        ("iterations", "<i8"),  # since then
        ("busy", "<f8"),  # seconds spent in them
        *((name, "<i8") for name in NAMES),
    ]
)
ALL_RECORDS = 450_000  # of a soak: 32 MB
MOST_RECORDS = 4096  # of a segment
FEWEST_RECORDS = 8


def records_most(segments: int) -> int:
    """How many records each of so many segments may keep; an even number."""
    return int(np.clip(ALL_RECORDS // max(segments, 1), FEWEST_RECORDS, MOST_RECORDS)) // 2 * 2


class Stream:
    """The file of one segment, new and open for appending; a context manager."""

    def __init__(self, path: Path, most: int = MOST_RECORDS) -> None:
        self._path = path
        self._most = most
        self._count = 0
        self._held = 0
        self._next = np.zeros(1, dtype=RECORD)  # the readings that become the next record
        self._file = -1

    def __enter__(self) -> Self:
        self._file = _appending(self._path, os.O_TRUNC)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held:
            os.write(self._file, _folded(self._next[None, : self._held]).tobytes())
        os.close(self._file)

    def add(self, reading: np.ndarray) -> None:
        """Keep one reading, of dtype `RECORD` and shape (1,)."""
        self._next[self._held] = reading[0]
        self._held += 1
        if self._held < self._next.size:
            return
        os.write(self._file, _folded(self._next[None, :]).tobytes())
        self._held = 0
        self._count += 1
        if self._count >= self._most:
            self._halve()

    def _halve(self) -> None:
        """Make one record of each two; the file is exchanged at once, so a kill leaves the old or the new."""
        records = stream_read(self._path)
        half = self._path.with_suffix(".half")
        half.write_bytes(_folded(records.reshape(-1, 2)).tobytes())
        half.replace(self._path)
        os.close(self._file)
        self._file = _appending(self._path)
        self._count //= 2
        self._next = np.zeros(2 * self._next.size, dtype=RECORD)


def stream_read(path: Path) -> np.ndarray:
    """The records (n,) of a segment's file, of dtype `RECORD`; a torn one at the end is left out."""
    data = path.read_bytes()
    return np.frombuffer(data, dtype=RECORD, count=len(data) // RECORD.itemsize)


def _appending(path: Path, more: int = 0) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | more, 0o644)


def _folded(readings: np.ndarray) -> np.ndarray:
    """One record (n,) of each row of `readings` (n, k), which are neighbours in time."""
    record = readings[:, -1].copy()
    if readings.shape[1] == 1:
        return record
    for name in NAMES:
        record[name] = readings[name].min(axis=1)
    return record
