"""Generated series with known truth, fourth way: plainly after the design's words.

Nine kinds of noise, each of unit standard deviation times 0.3 to 3 %; no, or up to three steps of 1 to
20 %, at least twenty builds apart; one value a build.  Sizes are log-uniform.  Tuning seeds: 1 to 999.
Reporting seeds: 400,001 and up.
"""

from __future__ import annotations

import numpy as np

from tests.regressions.detection_loom import Series

KINDS = (
    "normal", "heavy", "skewed", "spiky", "bimodal", "quantised", "wander", "drift", "bursts",
)  # fmt: skip
APART = 20  # builds between two steps, and between a step and an end
MEMORY = 0.6  # of the wander: correlation of neighbours


def series_generate(seed: int) -> Series:
    """One series of the kind that goes by the seed."""
    rng = np.random.default_rng([seed, 404])
    kind = KINDS[seed % len(KINDS)]
    n = int(rng.integers(100, 301))
    sigma = _between(rng, 0.003, 0.03)
    level = np.full(n, _between(rng, 1e-3, 1e3))
    events = []
    for at in _places(rng, n):
        level[at:] *= (1 + _between(rng, 0.01, 0.2)) ** rng.choice([-1, 1])
        events.append((at, at))
    noise, fast = _noise(rng, kind, n)
    return Series(f"d{seed}", kind, level * (1 + sigma * noise), level, tuple(events), sigma * fast)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _places(rng: np.random.Generator, n: int) -> list[int]:
    count = int(rng.integers(0, 4))
    while True:
        places = np.sort(rng.integers(APART, n - APART, size=count))
        if (np.diff(places) >= APART).all():
            return places.tolist()


def _noise(rng: np.random.Generator, kind: str, n: int) -> tuple[np.ndarray, float]:
    """Noise of about unit standard deviation, shape (n,), and the part of it a pair sees."""
    white = rng.standard_normal(n)
    if kind == "heavy":
        return rng.standard_t(3, size=n) / 3**0.5, 1.0
    if kind == "skewed":
        return rng.exponential(size=n) - 1, 1.0
    if kind == "spiky":  # a build in twenty is slow by 3 to 10 noises
        return white + (rng.random(n) < 0.05) * rng.uniform(3, 10, size=n), 1.0
    if kind == "bimodal":  # two clock states, a coin per build
        state = rng.random(n) < 0.3
        return 0.4 * white + 2 * (state - 0.3), 1.0
    if kind == "quantised":
        return np.round(white), 1.0
    if kind == "wander":
        shocks, path = white * (1 - MEMORY**2) ** 0.5, np.empty(n)
        last = rng.standard_normal()
        for i, shock in enumerate(shocks):
            path[i] = last = MEMORY * last + shock
        return path, (1 - MEMORY**2) ** 0.5
    if kind == "drift":  # slowly up or down, by four noises over the whole series
        return 0.8 * white + 4 * rng.choice([-1, 1]) * np.arange(n) / n, 0.8
    if kind == "bursts":  # a change of variance alone
        return white * np.where(np.arange(n) // 40 % 2 == 1, 1.8, 0.7), 1.0
    return white, 1.0
