"""Generated series with known truth, third way: blocks cut from random processes and put together again.

No kind of noise is written down here.  A process of random order and random innovations (mixtures of normal,
Laplace and exponential ones) makes a record; stretches of it, of random length, are drawn with replacement (a
block bootstrap), so recurring stretches, two levels and slow parts arise by themselves.  A series may change
its record half-way.  Seeds: 300,001 and up, for one check at the end; nothing was chosen on it.
"""

from __future__ import annotations

import numpy as np

from tests.regressions.detection_loom import Series

KINDS = ("short blocks", "long blocks", "two records")
RECORD = 600  # points of a record


def series_generate(seed: int) -> Series:
    """One series of the kind that goes by the seed."""
    rng = np.random.default_rng([seed, 901])
    kind = KINDS[seed % len(KINDS)]
    n = int(rng.integers(70, 361))
    percent = float(rng.gamma(2.0, 0.006)) + 0.002  # 0.2 to about 4 %
    fast, slow = _noise(rng, n, kind)
    level = float(np.exp(rng.uniform(-7, 5))) * np.ones(n)
    events = _events(rng, level)
    values = level * np.exp(percent * (fast + slow))
    short = percent * float(np.std(np.diff(fast))) / 2**0.5
    return Series(f"c{seed}", kind, values, level, tuple(events), short)


def _noise(rng: np.random.Generator, n: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Fast noise and what lasts longer than a build, both of about unit spread together; shapes (n,)."""
    parts = []
    for _ in range(2 if kind == "two records" else 1):
        fast, slow = _record(rng)
        mean = 40.0 if kind == "long blocks" else 9.0
        where = _blocks(rng, n, mean)
        parts.append((fast[where], slow[where]))
    if len(parts) == 1:
        return parts[0]
    at = int(rng.integers(n // 4, 3 * n // 4))
    first, second = parts
    return np.r_[first[0][:at], second[0][at:]], np.r_[first[1][:at], second[1][at:]]


def _blocks(rng: np.random.Generator, n: int, mean: float) -> np.ndarray:
    """Indices into a record: stretches of geometric length from anywhere (stationary bootstrap)."""
    fresh = rng.random(n) < 1 / mean
    fresh[0] = True
    starts = rng.integers(0, RECORD, size=n)
    where, at = np.empty(n, dtype=int), 0
    for index in range(n):
        at = int(starts[index]) if fresh[index] else at + 1
        where[index] = at % RECORD
    return where


def _record(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A moving average of random order, and a few plateaus or a slow path of random strength."""
    fast = _innovations(rng, RECORD)
    order = int(rng.choice([0, 0, 1, 2]))
    for weight in rng.uniform(-0.3, 0.5, size=order):
        fast = fast + weight * np.roll(fast, 1)
    fast = (fast - np.median(fast)) / fast.std()
    slow = np.convolve(_innovations(rng, RECORD), np.ones(int(rng.integers(5, 60))), "same")
    if rng.random() < 0.4:
        slow = (slow > np.quantile(slow, rng.uniform(0.5, 0.95))).astype(float)
    slow = (slow - np.median(slow)) / (slow.std() or 1.0) * rng.choice([0.0, 0.0, 0.5, 1.0])
    return fast, slow


def _innovations(rng: np.random.Generator, n: int) -> np.ndarray:
    share = rng.dirichlet([2.0, 1.0, 1.0])
    choice = rng.choice(3, size=n, p=share)
    drawn = np.stack([rng.standard_normal(n), rng.laplace(size=n) * 1.5, rng.exponential(size=n) * 2.0])
    return drawn[choice, np.arange(n)]


def _events(rng: np.random.Generator, level: np.ndarray) -> list[tuple[int, int]]:
    """Steps at a random rate, of sizes from 1 % on (mean 6 %); `level` is changed in place."""
    rate, events, at = rng.choice([0.0, 0.004, 0.012]), [], 7
    while rate:
        at += 8 + int(rng.exponential(1 / rate))
        if at >= len(level) - 6:
            break
        size = 0.01 + float(rng.exponential(0.05))
        level[at:] *= (1 + size) ** rng.choice([-1, 1])
        events.append((at, at))
    return events
