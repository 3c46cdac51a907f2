"""Simulated comparisons: interleaved pairs that see a series' levels and its noise from build to build."""

from __future__ import annotations

import numpy as np

from perfsite.regressions.detection import EAGER, Budget, Confirmation, OnlineScreen, Told
from tests.regressions.detection_loom import Series


def pairs_decide(series: Series, told: Told, rng: np.random.Generator, budget: Budget) -> tuple[bool, int]:
    """Whether the suspicion is confirmed, and the runs it took (two a pair)."""
    confirmation = Confirmation(told, better="lower", relevant=0.01, budget=budget)
    while wanted := confirmation.wanted:
        noise = np.exp(series.short * rng.standard_normal((2, wanted)))
        a, b = series.level[told.last_good] * noise[0], series.level[told.suspect] * noise[1]
        confirmation.take(a.tolist(), b.tolist())
    return confirmation.is_change, 2 * len(confirmation.a)


def online_with_pairs(
    series: Series, seed: int, *, persona=EAGER, budget: Budget | None = None
) -> tuple[list[tuple[int, int]], int]:
    """What an eager screen tells when comparisons answer at once: (index, detected at), and the runs."""
    rng = np.random.default_rng([seed, 5])
    screen = OnlineScreen(persona)
    told: list[tuple[int, int]] = []
    runs = 0
    for value in series.values.tolist():
        suspicion = screen.append(value)
        if suspicion is None:
            continue
        changed, spent = pairs_decide(series, suspicion, rng, budget or Budget())
        runs += spent
        change = screen.settle(suspicion, changed=changed)
        if change:
            told.append((change.index, change.detected_at))
    return told, runs
