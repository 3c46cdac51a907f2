"""Does a counter leak?  From readings by iteration to a verdict, per counter.  Pure: numpy only.

A leak grows for ever and evenly.  What looks like one and is none: growth while caches fill (it gets
less and less), an arena that grows by steps and then stays, garbage that waits for its collector (a
sawtooth), pages that wander in and out (a random walk).  So a segment's readings, without its first
quarter, are cut into parts of equally many iterations, and of each part only the lowest reading
counts: garbage lies above it, what leaked lies below.  A leak is told when all of this holds:

    1. almost every part ends higher than the one before: more rises than a random walk has with the
       probability `alpha` (sign test), so a few steps are not enough, and nothing much is given back;
    2. the Theil-Sen slope of the parts' floors lies above zero with the same confidence;
    3. the second half grew about as much as the first, so it does not settle;
    4. what was surely gained is more than the counter's own grain.

Segments are processes of their own: their steps are averaged part by part, and no slope crosses
from one to the next.  With several, the rises may also be counted over all of their steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.leaks.trend import Slope, rises_needed, slope_of

Word = Literal["leak", "steady", "settling", "stepped", "short"]

WARM_UP = 0.25  # of a segment's time
FEWEST_PARTS = 16
MOST_PARTS = 32
PER_PART = 2  # readings, at least
ALPHA = 0.001  # of a false leak, over all counters and looks of a soak
EVEN = 0.7  # a second half that grew by less than this share of the first settles
GIVEN_BACK = 0.25  # of what was gained; a leak gives nothing back


@dataclass(frozen=True)
class Series:
    """Readings of one counter in one segment, in order: each array has shape (n,).

    `seconds` since the segment began to count, `iterations` done until then, `values` in the counter's unit.
    """

    seconds: np.ndarray
    iterations: np.ndarray
    values: np.ndarray

    def until(self, seconds: float) -> Series:
        """The readings of the first `seconds`."""
        kept = self.seconds <= seconds
        return Series(self.seconds[kept], self.iterations[kept], self.values[kept])


@dataclass(frozen=True)
class Verdict:
    """What the readings of one counter tell; `slope` is in its unit per iteration.

    `gained` is how far the floors of the parts rose altogether, per segment; `rises` of `steps`
    parts ended higher than the one before.  `slope` is None when there were too few readings.
    """

    word: Word
    slope: Slope | None = None
    gained: float = 0.0
    rises: int = 0
    steps: int = 0

    @property
    def is_leak(self) -> bool:
        """Whether the counter leaks."""
        return self.word == "leak"


def segments_judge(segments: Sequence[Series], *, grain: float, counters: int) -> Verdict:
    """The verdict on one of `counters` counters from all segments of a soak.

    `grain` is the growth, in the counter's unit, that says nothing.  Every look at a soak that lasts
    longer has a smaller share of `ALPHA` (1/k - 1/(k+1) for the k-th doubling), so looking often costs
    nothing.
    """
    warm = [part for part in map(_warm, segments) if part.seconds.size >= FEWEST_PARTS * PER_PART]
    if not warm:
        return Verdict("short")
    longest = max(float(np.ptp(series.iterations)) for series in warm)
    alike = [series for series in warm if np.ptp(series.iterations) >= longest / 2]
    parts = min(MOST_PARTS, min(series.seconds.size for series in alike) // PER_PART)
    look = 1 + int(math.log2(sum(series.seconds.size for series in warm) / (FEWEST_PARTS * PER_PART)))
    return _judge(_Profile.of(alike, parts), grain=grain, alpha=ALPHA / counters / (look * (look + 1)))


def found_after(first: Series, *, grain: float, counters: int) -> float | None:
    """Seconds into the segment `first` from which on every look tells of a leak; None when not the last.

    Looks come at 1, 2, 4 ... seconds and at the end.
    """
    end = float(first.seconds[-1])
    looks = [end]
    while looks[-1] > 2:
        looks.append(2 ** (math.ceil(math.log2(looks[-1])) - 1))
    found: float | None = None
    for seconds in looks:
        if not segments_judge([first.until(seconds)], grain=grain, counters=counters).is_leak:
            break
        found = seconds
    return found


def _warm(series: Series) -> Series:
    """Without the warm-up."""
    if not series.seconds.size:
        return series
    kept = series.seconds > WARM_UP * series.seconds[-1]
    return Series(series.seconds[kept], series.iterations[kept], series.values[kept])


@dataclass(frozen=True)
class _Profile:
    """The segments' mean course from zero: iterations `x` and lowest values `floors`, both (parts,).

    `steps` (segments, parts - 1) are from one part's floor to the next, of each segment.
    """

    x: np.ndarray
    floors: np.ndarray
    steps: np.ndarray

    @classmethod
    def of(cls, segments: Sequence[Series], parts: int) -> _Profile:
        places, steps = zip(*(_floors(series, parts) for series in segments), strict=True)
        mean = np.mean(steps, axis=0)
        return cls(np.mean(places, axis=0), np.concatenate([[0.0], np.cumsum(mean)]), np.asarray(steps))

    @property
    def gained(self) -> float:
        return float(self.floors[-1])

    @property
    def returned(self) -> float:
        """The deepest fall below what was reached before."""
        return float(np.max(np.maximum.accumulate(self.floors) - self.floors))

    def rises(self, alpha: float) -> bool:
        """Whether the mean course, or all segments' own, rise more often than by chance."""
        return any(
            int((steps > 0).sum()) >= rises_needed(steps.size, alpha / 2)
            for steps in (np.diff(self.floors), self.steps)
        )

    def settles(self) -> bool:
        """Whether the second half grew much less per iteration than the first."""
        x, y, middle = self.x, self.floors, self.x.size // 2
        first = (y[middle] - y[0]) / (x[middle] - x[0])
        return bool((y[-1] - y[middle]) / (x[-1] - x[middle]) < EVEN * first)


def _floors(series: Series, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean iterations (parts,), from zero, and steps of the lowest values (parts - 1,)."""
    x, y = series.iterations.astype(float), series.values.astype(float)
    part = np.searchsorted(np.linspace(x[0], x[-1], parts + 1)[1:-1], x, side="left")
    filled = np.unique(part)
    floor = np.array([y[part == one].min() for one in filled])
    middle = np.array([x[part == one].mean() for one in filled])
    every = np.arange(parts)
    return np.interp(every, filled, middle - middle[0]), np.diff(np.interp(every, filled, floor))


def _judge(profile: _Profile, *, grain: float, alpha: float) -> Verdict:
    x, floors = profile.x, profile.floors
    shown, rises = slope_of(x, floors), int((np.diff(floors) > 0).sum())
    # that neighbours are alike is what the sign test is for
    sure = slope_of(x, floors, confidence=1 - 2 * alpha, independent=True).low

    def verdict(word: Word) -> Verdict:
        return Verdict(word, shown, profile.gained, rises, floors.size - 1)

    if profile.gained <= grain:
        return verdict("steady")
    if not profile.rises(alpha) or profile.returned > GIVEN_BACK * profile.gained:
        return verdict("stepped" if rises < floors.size / 2 else "steady")
    if profile.settles():
        return verdict("settling")
    is_leak = sure is not None and sure * float(x[-1] - x[0]) > grain
    return verdict("leak" if is_leak else "steady")
