"""A soak's folder as one small file for charts.  Pure but for the folder it reads."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.cases import Case
from benchmarks.leaks.counters import ABSENT
from benchmarks.leaks.course import Course, SegmentEnd
from benchmarks.leaks.stream import NAMES
from benchmarks.leaks.summary import Judged, Summary
from benchmarks.soak_readings import MOST, SoakCounter, SoakGauge, SoakReadings, SoakSegment
from benchmarks.stats import Interval

_DIGITS = 3  # of a second


def course_thin(
    course: Course, summary: Summary, case: Case, *, out_of_memory: Interval | None
) -> SoakReadings:
    """The readings of a soak that `course_summarize` summarized, at most about `MOST` of them.

    Of neighbours that become one the lowest memory and the latest time stay, as on disk.
    """
    thinned = [_bucketed(records, most) for records, most in _shares(course)]
    starts = np.cumsum([0.0, *(float(records["seconds"][-1]) for records in thinned)])
    at = np.concatenate([start + one["seconds"] for start, one in zip(starts, thinned, strict=False)])
    every = np.concatenate(thinned)
    drift, end = summary.drift, out_of_memory
    return SoakReadings(
        case=case,
        at_s=tuple(np.round(at, _DIGITS).tolist()),
        iterations=tuple(every["iterations"].tolist()),
        rates=tuple(rate for one in thinned for rate in _rates(one)),
        segments=_segments(course, thinned, starts),
        counters=tuple(_counter(one, every[one.counter.name]) for one in summary.judged),
        gauge=_gauge(course),
        drift=drift.value if drift else None,
        drift_low=drift.low if drift else None,
        drift_high=drift.high if drift else None,
        out_of_memory_s=end.value if end else None,
        out_of_memory_low_s=end.low if end else None,
        out_of_memory_high_s=end.high if end else None,
    )


def _shares(course: Course) -> list[tuple[np.ndarray, int]]:
    """The records of each segment and how many of them may stay: a share by its time, one at least."""
    segments = list(course.segments())
    whole = sum(float(records["seconds"][-1]) for records in segments) or 1.0
    return [(one, max(1, math.floor(MOST * float(one["seconds"][-1]) / whole))) for one in segments]


def _bucketed(records: np.ndarray, most: int) -> np.ndarray:
    """At most `most` records (k,): the last of each bucket of neighbours, with the bucket's lowest memory."""
    if records.size <= most:
        return records
    edges = np.linspace(0, records.size, most + 1).astype(int)
    kept = records[edges[1:] - 1].copy()
    for name in NAMES:
        kept[name] = np.minimum.reduceat(records[name], edges[:-1])
    return kept


def _rates(records: np.ndarray) -> list[float | None]:
    """Iterations per second since the record before; the first since the segment began."""
    done = np.diff(records["iterations"], prepend=0)
    busy = np.diff(records["busy"], prepend=0.0)
    return [
        float(f"{count / seconds:.6g}") if seconds > 0 else None
        for count, seconds in zip(done, busy, strict=True)
    ]


def _segments(course: Course, thinned: list[np.ndarray], starts: np.ndarray) -> tuple[SoakSegment, ...]:
    ends = course.ends()
    names = [path.name for path in course.paths if course.has_records(path)]
    firsts = np.cumsum([0, *(one.size for one in thinned)])
    told = [ends.get(name, SegmentEnd("cut")) for name in names]
    return tuple(
        SoakSegment(
            first=int(first), start_s=round(float(start), _DIGITS), ended=end.ended, reason=end.reason
        )
        for first, start, end in zip(firsts, starts, told, strict=False)
    )


def _counter(one: Judged, values: np.ndarray) -> SoakCounter:
    slope = one.verdict.slope
    return SoakCounter(
        name=one.counter.name,
        words=one.counter.words,
        memory=one.counter.memory,
        values=tuple(None if value == ABSENT else int(value) for value in values),
        verdict=one.verdict.word,
        slope=slope.value if slope else None,
        slope_low=slope.low if slope else None,
        slope_high=slope.high if slope else None,
    )


def _gauge(course: Course) -> SoakGauge:
    readings = course.gauge()
    step = max(1, -(-len(readings) // MOST))
    kept = readings[::step]

    def told(place: int) -> tuple[float | None, ...]:
        return tuple(float(f"{value:.6g}") if math.isfinite(value) else None for value in kept[:, place])

    at = np.maximum.accumulate(kept[:, 0]) if len(kept) else kept[:, 0]
    return SoakGauge(
        at_s=tuple(np.round(at, _DIGITS).tolist()), temperature=told(1), power=told(2), sm_clock=told(3)
    )
