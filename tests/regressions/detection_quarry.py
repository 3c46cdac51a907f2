"""Generated series with known truth, second way: noise made by mixtures, bootstraps and renewal processes.

Written to share no parametrisation with `detection_loom`: other shapes, other meanings of "noise of x %",
gaps, changes of variance alone, many values per decade of size.  Tuning checks: seeds 1 to 999.  Reporting
seeds: 200,001 and up.
"""

from __future__ import annotations

import numpy as np

from tests.regressions.detection_loom import Series

KINDS = (
    "normal", "heavy", "skewed", "spiky", "bimodal", "quantised", "wander", "season", "bursts",
)  # fmt: skip


def series_generate(seed: int) -> Series:
    """One series of the kind that goes by the seed."""
    source = np.random.default_rng([seed, 77])
    kind = KINDS[seed % len(KINDS)]
    n = int(source.choice([60, 90, 120, 160, 200, 250, 300, 400]))
    percent = 10 ** source.uniform(np.log10(0.3), np.log10(3.0)) / 100
    logs, slow = _core(kind, source, n)
    noise = (logs + slow) * percent
    if source.random() < 0.1:  # a quieter or louder half: not a change of level
        half = int(source.integers(n // 4, 3 * n // 4))
        noise[half:] *= source.choice([0.6, 1.6])
    trail, events = _staircase(source, n)
    values = np.exp(np.log(source.uniform(0.05, 50)) + trail + noise)
    level = np.exp(np.log(values) - noise)
    if kind == "quantised":
        tick = float(source.uniform(0.8, 3.0)) * percent * float(level[0])
        values = np.maximum(np.round(values / tick), 1) * tick
    if source.random() < 0.1:  # builds that were never measured: the steps move with the rows that stay
        stay = np.sort(source.choice(n, int(n * 0.9), replace=False))
        events = [(int(np.searchsorted(stay, a)), int(np.searchsorted(stay, b))) for a, b in events]
        values, level = values[stay], level[stay]
        events = [(a, b) for a, b in events if 0 < a < len(stay) - 3]
    short = float(np.std(np.diff(logs)) / np.sqrt(2)) * percent
    return Series(f"b{seed}", kind, values, level, tuple(events), short)


def _core(kind: str, source: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Fast noise and slow wobble, both in units of the series' noise, shapes (n,)."""
    still = np.zeros(n)
    white = source.standard_normal(n)
    if kind == "heavy":  # a Laplace and normal mixture, or contaminated normal
        wide = source.random(n) < 0.15
        return (np.where(wide, 3.0 * white, 0.75 * white), still) if source.random() < 0.5 else (
            source.laplace(size=n) / 1.414, still)  # fmt: skip
    if kind == "skewed":  # gamma with a hard floor, as run times have
        shape = source.uniform(1.0, 4.0)
        return (source.gamma(shape, size=n) - shape) / np.sqrt(shape), still
    if kind == "spiky":
        hits = source.random(n) < source.choice([0.01, 0.03, 0.07])
        side = 1 if source.random() < 0.8 else -1
        return 0.9 * white + side * hits * (5 + source.exponential(6, size=n)), still
    if kind == "bimodal":
        return 0.45 * white, _modes(source, n)
    if kind == "wander":
        return 0.7 * white, _wobble(source, n)
    if kind == "season":
        return 0.75 * white, _calendar(source, n)
    if kind == "bursts":  # log-variance follows its own slow path
        path = np.repeat(source.standard_normal(n // 12 + 2), 12)[:n]
        return white * np.exp(0.5 * path), still
    return (0.6 * white if kind == "quantised" else white), still


def _modes(source: np.random.Generator, n: int) -> np.ndarray:
    """Renewal process between two clock states: dwell times geometric or fixed, or a coin per point."""
    apart = source.uniform(1.5, 3.0)
    style = source.integers(3)
    if style == 0:
        return apart * (source.random(n) < 0.35)
    out: list[float] = []
    high = bool(source.random() < 0.3)
    while len(out) < n:
        mean = source.uniform(4, 8) if high else source.uniform(10, 25)
        dwell = int(source.geometric(1 / mean)) if style == 1 else max(int(mean), 1)
        out += [apart * high] * dwell
        high = not high
    return np.array(out[:n])


def _wobble(source: np.random.Generator, n: int) -> np.ndarray:
    """A slow path: smoothed noise with a random width, or an integrated one that is pulled back."""
    if source.random() < 0.5:
        width = int(source.integers(3, 15))
        path = np.convolve(source.standard_normal(n + width), np.ones(width) / np.sqrt(width), "valid")[:n]
        return 0.8 * path
    pull, out, x = source.uniform(0.02, 0.2), np.empty(n), 0.0
    for i in range(n):
        x += -pull * x + 0.3 * source.standard_normal()
        out[i] = x
    return out


def _calendar(source: np.random.Generator, n: int) -> np.ndarray:
    """Busy hours or weekdays: a bootstrapped pattern that repeats, smooth or square, not a sine."""
    period = int(source.choice([5, 7, 14, 24, 48]))
    if source.random() < 0.5:
        busy = np.arange(n) % period < period * 2 // 7
        return source.uniform(0.8, 2.0) * busy
    raw = np.convolve(np.tile(source.standard_normal(period), 3), np.ones(max(period // 4, 1)), "same")
    one = raw[period : 2 * period]
    return np.tile((one - one.mean()) / (one.std() + 1e-9), n // period + 1)[:n] * 0.9


def _staircase(source: np.random.Generator, n: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The logarithm of the level, and its events; gaps between steps are exponential, at least 9."""
    trail = np.zeros(n)
    style = source.random()
    events: list[tuple[int, int]] = []
    if style < 0.3:
        return trail, events
    if style < 0.36 and n >= 120:
        at = int(source.integers(30, n - 60))
        trail += np.interp(
            np.arange(n), [at, at + 30], [0, source.choice([-1, 1]) * source.uniform(0.03, 0.15)]
        )
        return trail, [(at, at + 30)]
    at = 8 + int(source.exponential(n / 4))
    while at < n - 6 and len(events) < 4:
        percent = 100 ** source.beta(1, 1) ** 1.0
        percent = min(1.0 * 20 ** (np.log(percent) / np.log(100)), 20.0)
        trail[at:] += np.log1p(percent / 100) * (1 if source.random() < 0.55 else -1)
        events.append((at, at))
        at += 9 + int(source.exponential(n / 5))
    return trail, events
