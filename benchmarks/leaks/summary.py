"""What a soak's streams tell, all segments together.  Pure: numpy and the files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.leaks.counters import ABSENT, COUNTERS, Counter
from benchmarks.leaks.course import Course
from benchmarks.leaks.trend import slope_of
from benchmarks.leaks.verdict import WARM_UP, Verdict, found_after, segments_judge
from benchmarks.stats import Interval

DRIFT_PARTS = 16


@dataclass(frozen=True)
class Judged:
    """A counter with its verdict; `found_s` is when in the first segment a leak was plain, None when
    only all segments together tell; `first` is its value when the last segment began to count, `grown`
    what all segments grew by from their first reading to their last, warm-up and noise with it."""

    counter: Counter
    verdict: Verdict
    first: int
    grown: int
    found_s: float | None = None


@dataclass(frozen=True)
class Summary:
    """`rate` is in iterations per second, `temperature` in °C, `power` in W; None where not told."""

    seconds: float
    iterations: int
    segments: int
    rate: float
    judged: tuple[Judged, ...]
    drift: Interval | None
    temperature: float | None
    power: float | None

    @property
    def leaks(self) -> tuple[Judged, ...]:
        """The counters that leak."""
        return tuple(one for one in self.judged if one.verdict.is_leak)

    @property
    def is_judged(self) -> bool:
        """Whether any counter had readings enough."""
        return any(one.verdict.word != "short" for one in self.judged)


def course_summarize(course: Course) -> Summary | None:
    """The summary of what is on disk; None when nothing is."""
    iterations, segments = 0, 0
    for records in course.segments():
        iterations += int(records["iterations"][-1])
        segments += 1
    if not segments:
        return None
    seconds, heat = course.seconds, course.gauge()
    return Summary(
        seconds=seconds,
        iterations=iterations,
        segments=segments,
        rate=iterations / seconds,
        judged=_judge_all(course),
        drift=_drift(course),
        temperature=float(np.nanmax(heat[:, 1])) if np.isfinite(heat[:, 1]).any() else None,
        power=float(np.nanmean(heat[:, 2])) if np.isfinite(heat[:, 2]).any() else None,
    )


def _judge_all(course: Course) -> tuple[Judged, ...]:
    present = [row for row in COUNTERS if any((one[row.name] != ABSENT).any() for one in course.segments())]
    judged = []
    for row in present:
        series = course.series(row.name)
        verdict = segments_judge(series, grain=row.grain, counters=len(present))
        found = found_after(series[0], grain=row.grain, counters=len(present)) if verdict.is_leak else None
        grown = sum(int(one.values[-1] - one.values[0]) for one in series)
        judged.append(Judged(row, verdict, int(series[-1].values[0]), grown, found))
    return tuple(judged)


def _drift(course: Course) -> Interval | None:
    """The relative change of throughput from the soak's start to its end, warm-ups left out.

    Medians of parts of equal time, and a Theil-Sen line through them; None with too few readings.
    """
    places, rates, before = [], [], 0.0
    for records in course.segments():
        done, busy = np.diff(records["iterations"]), np.diff(records["busy"])
        kept = records["seconds"][1:] > WARM_UP * records["seconds"][-1]
        places.append(before + records["seconds"][1:][kept])
        rates.append(done[kept] / busy[kept])
        before += float(records["seconds"][-1])
    place, rate = np.concatenate(places), np.concatenate(rates)
    if place.size < 2 * DRIFT_PARTS:
        return None
    parts = np.array_split(np.arange(place.size), DRIFT_PARTS)
    x = np.array([place[part].mean() for part in parts])
    y = np.array([np.median(rate[part]) for part in parts])
    slope = slope_of(x, y)
    start = float(np.median(y - slope.value * (x - x[0])))
    span = float(x[-1] - x[0])

    def relative(value: float | None) -> float | None:
        return None if value is None else value * span / start

    return Interval(slope.value * span / start, relative(slope.low), relative(slope.high))
