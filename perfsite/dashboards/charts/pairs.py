"""The evidence of a comparison: every interleaved pair as two joined dots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from perfsite.dashboards.charts.series import Scale, scale_for

_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 16.0, 14.0, 28.0
_SQUARE = 9.0
# pixels per pair, and the bounds of the whole width: text keeps its size on a phone
_STEP, _LEAST, _WIDEST = 40.0, 280.0, 720.0


@dataclass(frozen=True)
class Pair:
    """One pair in pixels: its x, the y of the last good build (a) and of the suspect (b), what it says."""

    x: float
    a: float
    b: float
    title: str

    @property
    def suspect_x(self) -> float:
        """The left edge of the suspect's square."""
        return round(self.x - _SQUARE / 2, 1)

    @property
    def suspect_y(self) -> float:
        """The upper edge of the suspect's square."""
        return round(self.b - _SQUARE / 2, 1)


@dataclass(frozen=True)
class Tick:
    """A labelled height."""

    y: float
    label: str


@dataclass(frozen=True)
class PairsPlot:
    """A picture of `width` x `height` pixels."""

    width: int
    height: int
    pairs: tuple[Pair, ...]
    ticks: tuple[Tick, ...]
    unit: str
    left: float
    right: float
    bottom: float


def pairs_plot(a: Sequence[float], b: Sequence[float], *, metric: str, height: int = 220) -> PairsPlot | None:
    """The pairs in the order they were measured; None when there are none.

    `a` and `b` have shape (n,) and are in the metric's unit; what one side has more is left out.
    """
    together = list(zip(a, b, strict=False))
    if not together:
        return None
    values = [value for pair in together for value in pair]
    scale = scale_for(metric, values)
    low, high = min(values), max(values)
    margin = (high - low) * 0.12 or abs(high) * 0.02 or 1.0
    low, high = low - margin, high + margin
    inner = height - _TOP - _BOTTOM
    width = round(min(_WIDEST, max(_LEAST, _LEFT + _RIGHT + _STEP * len(together))))
    step = (width - _LEFT - _RIGHT) / len(together)

    def y_of(value: float) -> float:
        return round(_TOP + inner * (high - value) / (high - low), 1)

    pairs = tuple(
        Pair(round(_LEFT + step * (index + 0.5), 1), y_of(one), y_of(two), _title(index, one, two, scale))
        for index, (one, two) in enumerate(together)
    )
    marks = round_values(low / scale.factor, high / scale.factor)
    decimals = max(len(f"{value:g}".partition(".")[2]) for value in marks)
    ticks = tuple(Tick(y_of(value * scale.factor), f"{value:.{decimals}f}") for value in marks)
    return PairsPlot(width, height, pairs, ticks, scale.unit, _LEFT, width - _RIGHT, height - _BOTTOM)


def round_values(low: float, high: float, *, most: int = 5) -> list[float]:
    """At most `most` round numbers between two values: multiples of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not span > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span))
    step = next(
        size * power
        for size in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
        if math.floor(high / (size * power)) - math.ceil(low / (size * power)) < most
    )
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def _title(index: int, one: float, two: float, scale: Scale) -> str:
    change = f", {100 * (two / one - 1):+.2f} %" if one else ""
    return (
        f"pair {index + 1}: good {one / scale.factor:.4g} {scale.unit}, "
        f"suspect {two / scale.factor:.4g} {scale.unit}{change}"
    )
