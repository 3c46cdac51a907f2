"""What is called quiet among many screens tells nothing when it is asked alone."""

import numpy as np
import pytest

from perfsite.regressions.detection import EAGER, STRICT, OnlineScreen
from perfsite.regressions.detection.many import screens_quiet
from tests.regressions.detection_loom import series_generate
from tests.regressions.detection_quarry import series_generate as series_cut


@pytest.mark.parametrize("persona", [EAGER, STRICT])
@pytest.mark.parametrize("generate", [series_generate, series_cut])
def test_nothing_that_tells_is_called_quiet(persona, generate):
    """Series of all kinds side by side, also young levels and such that a comparison re-based."""
    values = [generate(seed).values.tolist() for seed in range(1, 19)]
    screens = [OnlineScreen(persona) for _ in values]
    told_of = asked = looked = 0
    for place in range(max(map(len, values))):
        alive = [(one, row[place]) for one, row in zip(screens, values, strict=True) if place < len(row)]
        for screen, value in alive:
            screen.take(value)
        quiet = screens_quiet([screen for screen, _ in alive])
        looked += len(alive)
        asked += len(alive) - sum(quiet)
        for (screen, _), is_quiet in zip(alive, quiet, strict=True):
            told = screen.look()
            assert told is None or not is_quiet
            if told:
                told_of += 1
                if persona.asks:
                    screen.settle(told, changed=told_of % 2 == 0)
    assert told_of > 5
    assert asked < 0.5 * looked


def test_values_of_zero_and_below_and_no_screens_at_all():
    screen = OnlineScreen(EAGER)
    for value in [0.0, -1.0, 0.0, 1.0] * 10:
        screen.take(value)
    assert screens_quiet([screen, OnlineScreen()]) == [True, True]
    for _ in range(9):
        screen.take(30.0)
    assert screens_quiet([screen]) == [False]
    assert screens_quiet([]) == []


def test_a_flat_series_is_quiet():
    screen = OnlineScreen(EAGER)
    for value in np.full(200, 3.0).tolist():
        screen.take(value)
    assert screens_quiet([screen]) == [True]
