"""Of many screens only those are asked that may tell something."""

from __future__ import annotations

import numpy as np
import pytest

from perfsite.regressions.detection import EAGER
from perfsite.regressions.screening.gate import screens_settled
from perfsite.regressions.screening.level import LevelScreen
from tests.regressions.detection_loom import series_generate
from tests.regressions.detection_quarry import series_generate as series_cut


@pytest.mark.parametrize("relevant", [0.003, 0.03])
@pytest.mark.parametrize("generate", [series_generate, series_cut])
def test_what_tells_is_always_asked(generate, relevant):
    """Series of all kinds side by side; every second suspicion is confirmed."""
    values = [generate(seed).values[:150].tolist() for seed in range(1, 10)]
    screens = [LevelScreen(EAGER, relevant=relevant) for _ in values]
    told_of = asked = looked = 0
    for place in range(max(map(len, values))):
        alive = [(one, row[place]) for one, row in zip(screens, values, strict=True) if place < len(row)]
        for screen, value in alive:
            screen.take(value)
        settled = screens_settled([screen for screen, _ in alive])
        looked += len(alive)
        asked += len(alive) - sum(settled)
        for (screen, _), is_settled in zip(alive, settled, strict=True):
            told = screen.look()
            assert told is None or not is_settled
            if told:
                told_of += 1
                screen.settle(told, changed=told_of % 2 == 0)
    assert told_of > 5
    assert asked < 0.6 * looked


def test_quiet_noise_is_seldom_asked_and_a_step_always():
    rng = np.random.default_rng(3)
    screens = [LevelScreen(EAGER, relevant=0.03) for _ in range(100)]
    for screen in screens:
        screen.take_many(np.exp(0.01 * rng.normal(size=200)).tolist())
    assert sum(screens_settled(screens)) > 90
    for screen in screens:
        screen.take_many([1.1, 1.1])
    assert not any(screens_settled(screens))


def test_many_at_once_are_taken_as_one_by_one():
    values = series_generate(5).values.tolist()
    together, alone = (LevelScreen(EAGER, relevant=0.03) for _ in range(2))
    for first in range(0, len(values), 7):
        together.take_many(values[first : first + 7])
        for value in values[first : first + 7]:
            alone.take(value)
        assert together.state() == alone.state()
    together.take_many([0.5, -1.0, 2.0])
    for value in (0.5, -1.0, 2.0):
        alone.take(value)
    assert together.state() == alone.state()
