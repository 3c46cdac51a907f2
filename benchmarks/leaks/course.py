"""A soak's folder: a stream per segment, how each ended, and the wish to stop.

    soak.json          how the segments ended
    segment-00001.bin  the readings of the first segment (`stream.py`)
    gpu.bin            the GPU's readings: when (s since the soak began to count), its temperature (°C),
                       its power (W), the clock of its processors (Hz), four 4-byte floats each
    stop               there when somebody wants the soak to end; anyone may make it

What is on disk is the truth: a soak whose process was killed goes on from here.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.cases import Case
from benchmarks.leaks.counters import ABSENT
from benchmarks.leaks.stream import RECORD, stream_read
from benchmarks.leaks.verdict import Series

STATE_FILE = "soak.json"
STOP_FILE = "stop"
GAUGE_FILE = "gpu.bin"
GAUGE_WIDTH = 4  # numbers of a reading
LONGEST_SEGMENT_S = 900.0  # where the case does not say
MOST_SEGMENTS = 2000  # each is a file, which takes a block of the disk however few readings it holds

Ended = Literal["done", "stopped", "cut", "died"]


@dataclass(frozen=True)
class SegmentEnd:
    """How a segment ended: `done` as planned, `stopped` as asked, `died` by itself (`reason` says how).

    `cut` is a segment whose soak was killed with it: nobody was left to note its end.
    """

    ended: Ended
    reason: str = ""
    missing: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Course:
    """The soak of one case; `folder` is its own.

    Every method reads what is on disk now, a segment at a time, so that hours fit into little memory.
    """

    folder: Path

    @classmethod
    def open(cls, home: Path, key: str, wanted_s: float) -> Course:
        """The course in `home` of what `key` describes: continued, unless it lasted `wanted_s` already.

        A finished one is removed and begun anew, but not while it is asked to stop: then it only reports.
        """
        course = cls(home / f"soak-{hashlib.sha256(key.encode()).hexdigest()[:16]}")
        if course.seconds >= wanted_s and not course.stop_asked:
            shutil.rmtree(course.folder, ignore_errors=True)
        course.folder.mkdir(parents=True, exist_ok=True)
        return course

    @property
    def paths(self) -> list[Path]:
        """The segments' files, in order."""
        return sorted(self.folder.glob("segment-*.bin"))

    @property
    def seconds(self) -> float:
        """How long all segments counted, together."""
        return sum(_last_seconds(path) for path in self.paths)

    @property
    def stop_path(self) -> Path:
        """The file whose presence asks the soak to end."""
        return self.folder / STOP_FILE

    @property
    def stop_asked(self) -> bool:
        """Whether the soak is to end."""
        return self.stop_path.exists()

    def segments(self) -> Iterator[np.ndarray]:
        """The records (n,) of each segment that has some."""
        for path in self.paths:
            if self.has_records(path):
                yield stream_read(path)

    def has_records(self, path: Path) -> bool:
        """Whether a segment's file holds a whole record."""
        return path.stat().st_size >= RECORD.itemsize

    def series(self, counter: str) -> list[Series]:
        """The readings of one counter, a series per segment; a segment without it is left out."""
        found = []
        for records in self.segments():
            told = records[records[counter] != ABSENT]
            if told.size:
                found.append(Series(told["seconds"], told["iterations"], told[counter]))
        return found

    def gauge_note(
        self, temperature: float | None, power: float | None, sm_clock: float | None = None
    ) -> None:
        """Keep one reading of the GPU, taken now; None where it was not told."""
        with (self.folder / GAUGE_FILE).open("ab") as stream:
            stream.write(np.array([self.seconds, temperature, power, sm_clock], dtype="<f4").tobytes())

    def gauge(self) -> np.ndarray:
        """When (s), temperature, power and clock (n, 4) of all readings of the GPU; NaN where not told."""
        try:
            data = (self.folder / GAUGE_FILE).read_bytes()
        except FileNotFoundError:
            data = b""
        count = len(data) // (4 * GAUGE_WIDTH) * GAUGE_WIDTH
        return np.frombuffer(data, dtype="<f4", count=count).reshape(-1, GAUGE_WIDTH).astype(float)

    def next_path(self) -> Path:
        """Where the next segment's readings go."""
        return self.folder / f"segment-{len(self.paths) + 1:05d}.bin"

    def ends(self) -> dict[str, SegmentEnd]:
        """How the segments ended, by the file's name; those that were cut are not in it."""
        try:
            told = json.loads((self.folder / STATE_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {
            name: SegmentEnd(one["ended"], one["reason"], tuple((key, why) for key, why in one["missing"]))
            for name, one in told["segments"].items()
        }

    def end_note(self, path: Path, end: SegmentEnd) -> None:
        """Note how a segment ended; a kill meanwhile leaves the old state or the new."""
        known = {**self.ends(), path.name: end}
        segments = {name: vars(one) for name, one in known.items()}
        half = self.folder / f".{STATE_FILE}"
        half.write_text(json.dumps({"format": 1, "segments": segments}), encoding="utf-8")
        half.replace(self.folder / STATE_FILE)


def segment_s(case: Case) -> float:
    """How long one process of a soak lives at most, in seconds."""
    asked = float(case.option("segment_s", min(case.duration_s, LONGEST_SEGMENT_S)))
    return max(asked, case.duration_s / MOST_SEGMENTS)


def segment_next(case: Case, left: float) -> float:
    """How long the next segment lasts, in seconds: what is `left`, in equal segments, none too long."""
    return left / math.ceil(left / segment_s(case) - 1e-6)


def _last_seconds(path: Path) -> float:
    """When the last record of a segment's file was taken; 0 without one."""
    with path.open("rb") as stream:
        whole = stream.seek(0, os.SEEK_END) // RECORD.itemsize
        if not whole:
            return 0.0
        stream.seek((whole - 1) * RECORD.itemsize)
        return float(np.frombuffer(stream.read(RECORD.itemsize), dtype=RECORD)["seconds"][0])
