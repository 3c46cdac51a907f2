"""A soak's readings over time, thinned: a file beside the report.  Pure; the site reads it too.

Format history (the newest first):
    1  2026-11  the first.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmarks.cases import Case

FORMAT: Final = 1
MOST = 1000
"""Readings of a soak in the file; one per segment where it has more segments than that."""
MOST_SEGMENTS = 2000
_ALL = MOST + MOST_SEGMENTS  # every segment keeps one at least


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SoakSegment(_Frozen):
    """One process of the soak: the place of its first reading, when it began (s), how it ended."""

    first: int = Field(ge=0)
    start_s: float = Field(ge=0)
    ended: Literal["done", "stopped", "cut", "died"]
    reason: str = Field(default="", max_length=1000)


class SoakCounter(_Frozen):
    """One kind of memory: its lowest `values` (n,) in bytes, or in objects where `memory` is empty.

    None where a segment did not tell.  `slope` with its 95 % bounds is per iteration, `verdict` what was
    made of it (`leaks/verdict.py`).
    """

    name: str = Field(max_length=40)
    words: str = Field(max_length=200)
    memory: Literal["host", "gpu", ""]
    values: tuple[int | None, ...] = Field(max_length=_ALL)
    verdict: Literal["leak", "steady", "settling", "stepped", "short"]
    slope: float | None = None
    slope_low: float | None = None
    slope_high: float | None = None


class SoakGauge(_Frozen):
    """The GPU, each (m,): s since the soak began, °C, W, Hz of its processors; None where not told."""

    at_s: tuple[float, ...] = Field(default=(), max_length=_ALL)
    temperature: tuple[float | None, ...] = ()
    power: tuple[float | None, ...] = ()
    sm_clock: tuple[float | None, ...] = ()

    @model_validator(mode="after")
    def _equally_long(self) -> SoakGauge:
        for name in ("temperature", "power", "sm_clock"):
            if len(getattr(self, name)) != len(self.at_s):
                raise ValueError(f"{name} has {len(getattr(self, name))} readings, not {len(self.at_s)}")
        return self


class SoakReadings(_Frozen):
    """Everything a chart of one soak needs.

    `at_s` (n,) are seconds since the soak began to count, all segments one after the other; `iterations`
    (n,) those of the segment until then, `rates` (n,) iterations per second since the reading before.
    `drift` is the relative change of the rate from start to end, `out_of_memory_s` how long a fresh
    process lives at its leaks' rate; each with its 95 % bounds, None where not told.
    """

    format: Literal[1] = FORMAT
    case: Case
    at_s: tuple[float, ...] = Field(min_length=1, max_length=_ALL)
    iterations: tuple[int, ...]
    rates: tuple[float | None, ...]
    segments: tuple[SoakSegment, ...] = Field(min_length=1, max_length=MOST_SEGMENTS)
    counters: tuple[SoakCounter, ...] = Field(max_length=20)
    gauge: SoakGauge = SoakGauge()
    drift: float | None = None
    drift_low: float | None = None
    drift_high: float | None = None
    out_of_memory_s: float | None = None
    out_of_memory_low_s: float | None = None
    out_of_memory_high_s: float | None = None

    @model_validator(mode="after")
    def _fits(self) -> SoakReadings:
        n = len(self.at_s)
        lengths = {"iterations": len(self.iterations), "rates": len(self.rates)}
        lengths |= {row.name: len(row.values) for row in self.counters}
        for name, length in lengths.items():
            if length != n:
                raise ValueError(f"{name} has {length} readings, not {n}")
        firsts = [row.first for row in self.segments]
        if firsts != sorted(set(firsts)) or firsts[0] != 0 or firsts[-1] >= n:
            raise ValueError("the segments do not begin one after the other at a reading of their own")
        if list(self.at_s) != sorted(self.at_s):
            raise ValueError("the readings are not in the order of time")
        return self

    def parts(self) -> list[slice]:
        """Where the readings of each segment lie."""
        ends = [row.first for row in self.segments[1:]] + [len(self.at_s)]
        return [slice(row.first, end) for row, end in zip(self.segments, ends, strict=True)]


def readings_name(case: Case) -> str:
    """What the file of a case is called: `soak-torch.b1.json`."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", case.shape)[:80].strip("-")
    return f"soak-{case.runner}.{plain}.json"


def is_readings(name: str) -> bool:
    """Whether a file of this name holds a soak's readings."""
    return name.startswith("soak-") and name.endswith(".json")
