"""Generated series with known truth, fifth way: a machine that is simulated, not a noise that is drawn.

A build takes work over speed.  Speed comes from a clock that follows a temperature (a relaxation with a
daily tide and a governor of two states), work from the code; a neighbour's load comes and goes by a Poisson
process; a timer rounds; the value is the median of a few runs.  What a seed's machine suffers from gives
its kind.  Seeds: 500,001 and up, scored once at the end; nothing was chosen on it.
"""

from __future__ import annotations

import numpy as np

from tests.regressions.detection_loom import Series

KINDS = ("plain", "warm", "governed", "shared", "rounded", "repeated")


def series_generate(seed: int) -> Series:
    """One series of the kind that goes by the seed."""
    rng = np.random.default_rng([seed, 5150])
    kind = KINDS[seed % len(KINDS)]
    n = int(rng.integers(80, 321))
    jitter = float(rng.uniform(0.003, 0.03)) if rng.random() < 0.5 else float(rng.lognormal(-4.6, 0.5))
    work, events = _work(rng, n)
    runs = int(rng.integers(2, 8)) if kind == "repeated" else 1
    draws = rng.gamma(9.0, 1 / 9.0, size=(n, runs)) - 1.0 if rng.random() < 0.5 else _wide(rng, n, runs)
    fast = np.median(draws / draws.std(), axis=1) * jitter
    slow = np.zeros(n)
    if kind == "warm":
        slow = jitter * rng.uniform(0.5, 1.3) * _temperature(rng, n)
    if kind == "governed":
        slow = jitter * rng.uniform(1.5, 3.0) * _governor(rng, n)
    if kind == "shared":
        slow = jitter * _neighbour(rng, n)
    values = work * np.exp(fast + slow)
    if kind == "rounded":
        tick = jitter * float(work[0]) * rng.uniform(0.5, 2.0)
        values = np.maximum(np.round(values / tick), 1.0) * tick
    return Series(f"e{seed}", kind, values, work, tuple(events), float(np.std(np.diff(fast)) / 2**0.5))


def _work(rng: np.random.Generator, n: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """What the code costs: a renewal process of changes, a quarter of them reverted by the next one."""
    work, events = np.full(n, float(rng.lognormal(0.0, 3.0))), []
    at, undo = int(rng.integers(12, n)), 0.0
    while at < n - 8 and len(events) < 4:
        size = undo or float(rng.choice([-1, 1]) * np.log1p(0.01 + 0.19 * rng.beta(0.8, 2.0)))
        work[at:] *= np.exp(size)
        events.append((at, at))
        undo = -size if not undo and rng.random() < 0.25 else 0.0
        at += 10 + int(rng.weibull(0.9) * n / 3)
    return work, events


def _wide(rng: np.random.Generator, n: int, runs: int) -> np.ndarray:
    """Logistic draws: tails between the normal's and Student's."""
    share = rng.uniform(size=(n, runs))
    return np.log(share / (1.0 - share))


def _temperature(rng: np.random.Generator, n: int) -> np.ndarray:
    """First-order relaxation towards a room with a tide."""
    tide = np.sin(2 * np.pi * np.arange(n) / rng.uniform(10, 60) + rng.uniform(0, 6))
    path, inertia, now = np.empty(n), rng.uniform(0.6, 0.95), 0.0
    for index in range(n):
        now = inertia * now + (1 - inertia) * (tide[index] + 2.0 * rng.standard_normal())
        path[index] = now
    return path / (path.std() or 1.0)


def _governor(rng: np.random.Generator, n: int) -> np.ndarray:
    """A clock that drops when a random budget is spent and recovers after a rest."""
    slow, budget, rest = np.zeros(n), rng.uniform(4, 30), 0
    for index in range(n):
        budget -= rng.exponential()
        if budget < 0 and not rest:
            rest = 1 + int(rng.poisson(2.0))
        if rest:
            slow[index], rest = 1.0, rest - 1
            budget = rng.uniform(4, 30) if not rest else -1.0
    return slow


def _neighbour(rng: np.random.Generator, n: int) -> np.ndarray:
    """Loads that arrive by chance, are of heavy-tailed size and die away."""
    load, now = np.empty(n), 0.0
    for index in range(n):
        now = 0.3 * now + (rng.random() < 0.06) * (2.0 + rng.pareto(2.0))
        load[index] = min(now, 15.0)
    return load
