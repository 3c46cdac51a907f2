"""Generated series with known truth, first way: parametric noise of unit spread about levels.

Tuning seeds: 1 to 999.  Reporting seeds: 100,001 and up, scored once at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Rng = np.random.Generator


@dataclass(frozen=True)
class Series:
    """Values and what is true about them.

    `level` has no noise; each event is the first and the last index at which its new level may be said
    to begin (a step: the same twice; creep: the whole ramp); `short` is the standard deviation of the
    noise from build to build without slow parts, relative: what an interleaved pair would see.
    """

    name: str
    kind: str
    values: np.ndarray
    level: np.ndarray
    events: tuple[tuple[int, int], ...]
    short: float


def _normal(rng: Rng, n: int) -> tuple[np.ndarray, float]:
    return rng.normal(size=n), 1.0


def _heavy(rng: Rng, n: int) -> tuple[np.ndarray, float]:
    return rng.standard_t(3, size=n) / np.sqrt(3), 1.0


def _skewed(rng: Rng, n: int) -> tuple[np.ndarray, float]:
    s = rng.uniform(0.4, 0.9)
    spread = np.sqrt(np.expm1(s * s) * np.exp(s * s))
    return (rng.lognormal(0, s, size=n) - np.exp(s * s / 2)) / spread, 1.0


def _spiky(rng: Rng, n: int) -> tuple[np.ndarray, float]:
    share = rng.uniform(0.02, 0.1)
    return rng.normal(size=n) + (rng.random(n) < share) * rng.uniform(4, 15, size=n), 1.0


def _bimodal(rng: Rng, n: int) -> tuple[np.ndarray, float]:
    apart, sticky = rng.uniform(2, 5), rng.random() < 0.5
    if sticky:
        leave, back = 1 / rng.uniform(8, 40), 1 / rng.uniform(3, 10)
        state = np.empty(n, dtype=bool)
        now = False
        for i in range(n):
            now = rng.random() < leave if not now else rng.random() >= back
            state[i] = now
    else:
        state = rng.random(n) < rng.uniform(0.15, 0.5)
    return rng.normal(size=n) * 0.5 + state * apart * 0.5, 0.5


def _quantised(rng: Rng, n: int) -> tuple[np.ndarray, float]:
    grid = rng.uniform(0.7, 2.5)
    return np.round(rng.normal(size=n) / grid) * grid, 1.0


def _wander(rng: Rng, n: int) -> tuple[np.ndarray, float]:
    if rng.random() < 0.3:
        step = rng.uniform(0.05, 0.2)
        return 0.6 * rng.normal(size=n) + step * np.cumsum(rng.normal(size=n)), 0.6
    memory = rng.uniform(0.5, 0.95)
    shocks = rng.normal(size=n) * np.sqrt(1 - memory**2)
    out = np.empty(n)
    last = rng.normal()
    for i in range(n):
        out[i] = last = memory * last + shocks[i]
    return out, float(np.sqrt(1 - memory**2))


def _season(rng: Rng, n: int) -> tuple[np.ndarray, float]:
    period = rng.choice([7.0, 12.0, 24.0, 30.0, 69.0])
    wave = np.sin(2 * np.pi * np.arange(n) / period + rng.uniform(0, 7))
    return 0.7 * rng.normal(size=n) + wave * rng.uniform(0.5, 1.2), 0.7


def _bursts(rng: Rng, n: int) -> tuple[np.ndarray, float]:
    width, loud = rng.integers(8, 40), rng.uniform(2, 4)
    on = (np.arange(n) + rng.integers(0, 200)) // width % 4 == 3
    return rng.normal(size=n) * np.where(on, loud, 0.8), 1.0


KINDS: dict[str, Callable[[Rng, int], tuple[np.ndarray, float]]] = {
    "normal": _normal,
    "heavy": _heavy,
    "skewed": _skewed,
    "spiky": _spiky,
    "bimodal": _bimodal,
    "quantised": _quantised,
    "wander": _wander,
    "season": _season,
    "bursts": _bursts,
}


def series_generate(seed: int, *, creep: float = 0.08, noisiest: float = 0.03) -> Series:
    """One series, its kind by the seed: 60 to 400 points; up to four steps of 1 to 20 %, or creep."""
    rng = np.random.default_rng(seed)
    kind = list(KINDS)[seed % len(KINDS)]
    n = int(rng.integers(60, 401))
    sigma = float(np.exp(rng.uniform(np.log(0.003), np.log(noisiest))))
    level = np.full(n, 10.0 ** rng.uniform(-4, 2))
    events: list[tuple[int, int]] = []
    if rng.random() < creep and n > 110:
        start = int(rng.integers(25, n - 55))
        ramp = np.clip((np.arange(n) - start + 1) / 30, 0, 1)
        level *= (1 + _size(rng, 0.03)) ** (ramp * rng.choice([-1, 1]))
        events.append((start, start + 30))
    else:
        for at in _places(rng, n, int(rng.integers(0, 5)), 8):
            level[at:] *= (1 + _size(rng, 0.01)) ** rng.choice([-1, 1])
            events.append((at, at))
    noise, short = KINDS[kind](rng, n)
    return Series(f"a{seed}", kind, level * (1 + sigma * noise), level, tuple(events), sigma * short)


def _size(rng: Rng, least: float) -> float:
    return float(np.exp(rng.uniform(np.log(least), np.log(0.2))))


def _places(rng: Rng, n: int, count: int, apart: int) -> list[int]:
    """Where steps are, at least `apart` from each other and from both ends."""
    places: list[int] = []
    for _ in range(count * 20):
        near = places and rng.random() < 0.25
        at = places[-1] + int(rng.integers(8, 11)) if near else int(rng.integers(10, n - 10))
        if len(places) < count and 10 <= at < n - 10 and all(abs(at - p) >= apart for p in places):
            places.append(at)
    return sorted(places)
