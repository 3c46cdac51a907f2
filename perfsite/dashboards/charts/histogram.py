"""The raw samples of two builds as two histograms over one axis (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perfsite.dashboards.charts.series import Scale

WIDTH, HEIGHT = 480, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 8, 22
_BINS_MOST, _BINS_FEWEST = 60, 8
# a single sample ten times slower must not squeeze the rest into one bar: beyond this part it is cut
_TAIL = 0.005
_TICKS = 4


@dataclass(frozen=True)
class Bar:
    """A bar in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Tick:
    """A place on the axis and what is written there."""

    x: float
    label: str


@dataclass(frozen=True)
class Histogram:
    """Two histograms of equal area.  `cut` counts the samples that lie beyond the axis."""

    width: int
    height: int
    base: float
    old: tuple[Bar, ...]
    new: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    unit: str
    counts: tuple[int, int]
    cut: int


def histogram_pair(old: Sequence[float], new: Sequence[float], *, scale: Scale) -> Histogram | None:
    """The samples of the build before and of the picked one; None when either has fewer than two.

    Bins follow Freedman and Diaconis (1981) over both together.
    """
    if len(old) < 2 or len(new) < 2:
        return None
    first, second = (np.asarray(values, dtype=float) / scale.factor for values in (old, new))
    both = np.concatenate([first, second])
    low, high = np.quantile(both, [_TAIL, 1 - _TAIL])
    if low == high:
        low, high = low - abs(low) * 0.01 - 1e-12, high + abs(high) * 0.01 + 1e-12
    edges = np.linspace(low, high, _bins(both, low, high) + 1)
    shares = [np.histogram(values, edges)[0] / len(values) for values in (first, second)]
    top = max(float(share.max()) for share in shares) or 1.0
    cut = int(((both < low) | (both > high)).sum())
    ticks = tuple(
        Tick(round(_LEFT + place * (WIDTH - _LEFT - _RIGHT), 1), f"{low + place * (high - low):.4g}")
        for place in np.linspace(0, 1, _TICKS)
    )
    bars = [_bars(share, top) for share in shares]
    return Histogram(
        WIDTH, HEIGHT, HEIGHT - _BOTTOM, bars[0], bars[1], ticks, scale.unit, (len(first), len(second)), cut
    )


def _bins(values: np.ndarray, low: float, high: float) -> int:
    quarter, three = np.quantile(values, [0.25, 0.75])
    width = 2 * (three - quarter) / len(values) ** (1 / 3)
    wanted = int(np.ceil((high - low) / width)) if width > 0 else _BINS_FEWEST
    return min(max(wanted, _BINS_FEWEST), _BINS_MOST)


def _bars(shares: np.ndarray, top: float) -> tuple[Bar, ...]:
    width = (WIDTH - _LEFT - _RIGHT) / len(shares)
    room = HEIGHT - _TOP - _BOTTOM
    return tuple(
        Bar(
            round(_LEFT + place * width, 1),
            round(_TOP + room * (1 - share / top), 1),
            round(width, 1),
            round(room * share / top, 1),
        )
        for place, share in enumerate(shares)
        if share
    )
