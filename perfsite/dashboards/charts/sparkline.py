"""Small pictures drawn by the server: geometry only, the templates write the SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_PAD = 3.0


@dataclass(frozen=True)
class Dot:
    """A marked place on a small picture, in its own pixels, with the tone that names its colour."""

    x: float
    y: float
    tone: str
    title: str = ""

    @property
    def triangle(self) -> str:
        """The corners of a triangle around the place, as SVG points."""
        corners = ((self.x, self.y - 4.5), (self.x - 4, self.y + 3), (self.x + 4, self.y + 3))
        return _svg_points(corners)

    @property
    def diamond(self) -> str:
        """The corners of a diamond around the place, as SVG points."""
        x, y = self.x, self.y
        return _svg_points(((x, y - 4.5), (x + 4, y), (x, y + 4.5), (x - 4, y)))


@dataclass(frozen=True)
class Sparkline:
    """A line of `width` x `height` pixels; `line` is empty when there are fewer than two values."""

    width: int
    height: int
    line: str
    last: Dot | None
    marks: tuple[Dot, ...]


def sparkline(
    points: Sequence[tuple[int, float]],
    *,
    marks: Mapping[int, str] | None = None,
    width: int = 160,
    height: int = 28,
    least_span: float = 0.04,
    span: tuple[int, int] | None = None,
) -> Sparkline:
    """The points `(ordinal, value)` as a line; `marks` maps ordinals to tones.

    `span` is the first and last ordinal of the x axis, so that lines below each other share it.

    The y axis spans at least `least_span` of the median: noise of half a per cent must not look like a cliff.
    """
    if not points:
        return Sparkline(width, height, "", None, ())
    low, high = _y_range([value for _, value in points], least_span)
    first, last = span or (points[0][0], points[-1][0])
    run = max(1, last - first)
    places = {
        ordinal: (
            round(_PAD + (width - 2 * _PAD) * (ordinal - first) / run, 1),
            round(height - _PAD - (height - 2 * _PAD) * (value - low) / (high - low), 1),
        )
        for ordinal, value in points
    }
    line = _svg_points(list(places.values())) if len(points) > 1 else ""
    dots = tuple(Dot(*places[at], tone) for at, tone in sorted((marks or {}).items()) if at in places)
    return Sparkline(width, height, line, Dot(*places[points[-1][0]], "last"), dots)


def _y_range(values: Sequence[float], least_span: float) -> tuple[float, float]:
    """The lowest and highest value, widened to the least span around their middle; never empty."""
    low, high = min(values), max(values)
    middle = sorted(values)[len(values) // 2]
    least = abs(middle) * least_span or 1.0
    if high - low < least:
        centre = (high + low) / 2
        return centre - least / 2, centre + least / 2
    return low, high


def geometric_means(series: Sequence[Sequence[tuple[int, float]]]) -> list[tuple[int, float]]:
    """Many series as one line: `(ordinal, geometric mean of value over the series' own mean)`.

    Each series counts by its ratio to its own geometric mean, so a build that lacks some of them
    is not moved by which ones it lacks.  Values that are not positive are left out.
    """
    logs: dict[int, list[float]] = {}
    for points in series:
        known = [(ordinal, math.log(value)) for ordinal, value in points if value > 0]
        if not known:
            continue
        centre = sum(value for _, value in known) / len(known)
        for ordinal, value in known:
            logs.setdefault(ordinal, []).append(value - centre)
    return [(ordinal, math.exp(sum(found) / len(found))) for ordinal, found in sorted(logs.items())]


def _svg_points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)


@dataclass(frozen=True)
class Segment:
    """A part of a bar: where it starts and how wide it is, in per cent, how many it stands for."""

    state: str
    count: int
    x: float
    width: float


def bar_segments(counts: Mapping[str, int], *, order: Sequence[str]) -> list[Segment]:
    """Counts as parts of one bar, 0 to 100 per cent, in the given order, nothing for a zero."""
    every = sum(counts.get(state, 0) for state in order)
    segments: list[Segment] = []
    at = 0.0
    for state in order:
        count = counts.get(state, 0)
        if count:
            width = 100 * count / every
            segments.append(Segment(state, count, round(at, 2), round(width, 2)))
            at += width
    return segments
