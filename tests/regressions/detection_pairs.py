"""Simulated comparisons: interleaved pairs that see a series' levels and its noise from build to build."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from perfsite.regressions.detection import Ask, PairScreen, Spending, Told
from perfsite.regressions.replay.asking import Asker
from tests.regressions.detection_loom import Series

Answer = tuple[list[float], list[float]]


def asked(screen: Asker, answer: Callable[[Ask], Answer]) -> Told | None:
    """What the screen tells after its newest value when `answer` runs the pairs."""
    asking = screen.asking()
    try:
        wish = next(asking)
        while True:
            wish = asking.send(answer(wish))
    except StopIteration as end:
        return end.value


def told_with_pairs(
    screen: Asker, series: Series, rng: np.random.Generator
) -> tuple[list[tuple[int, int]], int]:
    """What is told when comparisons answer at once: (index, detected at), and the runs."""

    def run(wish: Ask) -> Answer:
        noise = np.exp(series.short * rng.standard_normal((2, wish.pairs)))
        return (series.level[wish.a] * noise[0]).tolist(), (series.level[wish.b] * noise[1]).tolist()

    told: list[tuple[int, int]] = []
    for value in series.values.tolist():
        screen.take(value)
        change = asked(screen, run)
        if change:
            told.append((change.index, change.detected_at))
    return told, screen.runs


def online_with_pairs(
    series: Series, seed: int, spending: Spending | None = None
) -> tuple[list[tuple[int, int]], int]:
    """What the policy of the replay tells, and the runs it took."""
    return told_with_pairs(PairScreen(spending), series, np.random.default_rng([seed, 5]))
