"""The service's own rule in a replay: what it asks, and that it asks about a build once."""

import numpy as np
import pytest

from benchmarks.sequential import Budget
from perfsite.regressions.replay.service import ServiceScreen, metric_plain
from tests.regressions.detection_pairs import asked


def replayed(values, level, *, budget: Budget | None = None, seed: int = 1):
    """The screen, what it told and what it asked, when pairs of `level` answer."""
    rng, wishes, told = np.random.default_rng(seed), [], []
    screen = ServiceScreen(metric_plain(better="lower", relevant=0.01, grain=0.0), budget)

    def run(wish):
        wishes.append((wish.a, wish.b))
        noise = 1 + 0.01 * rng.standard_normal((2, wish.pairs))
        return (level[wish.a] * noise[0]).tolist(), (level[wish.b] * noise[1]).tolist()

    for value in values:
        screen.take(value)
        change = asked(screen, run)
        told += [change] if change else []
    return screen, told, wishes


def stepped(size: float, points: int = 60, at: int = 40):
    level = 1 + size * (np.arange(points) >= at)
    return level * (1 + 0.01 * np.random.default_rng(0).standard_normal(points)), level


def test_a_step_is_told_once_with_what_its_comparison_found():
    values, level = stepped(0.1)
    screen, (told,), _ = replayed(values, level)
    assert (told.index, told.detected_at <= 42) == (40, True)
    finding = screen.finding
    assert (finding.kind, finding.rises, finding.level) == ("changed", True, 1 - Budget.alpha)
    assert finding.low < finding.change < finding.high
    assert screen.runs == 2 * finding.spent


def test_a_refuted_level_that_lasts_is_asked_about_once_more_at_the_newest_build():
    values, _ = stepped(0.1)
    screen, told, wishes = replayed(values, np.ones(60))
    about_step = {wish for wish in wishes if wish[1] >= 38}
    assert (told, len(about_step)) == ([], 2)
    (_, first), (_, second) = sorted(about_step, key=lambda wish: wish[1])
    assert (first, second > first) == (40, True)
    assert screen.finding.kind in ("same", "unknown")


@pytest.mark.parametrize("most", [2, 5])
def test_a_comparison_keeps_to_its_pairs(most):
    values, level = stepped(0.02)
    _, _, wishes = replayed(values, level, budget=Budget(most=most, alpha=1e-6))
    assert wishes
    assert all(wishes.count(wish) <= most for wish in wishes)


def test_no_pair_at_all_leaves_the_build_and_no_finding():
    values, _ = stepped(0.1)
    screen = ServiceScreen(metric_plain(better="lower", relevant=0.01, grain=0.0))
    for value in values:
        screen.take(value)
        assert asked(screen, lambda _: ([], [])) is None
    assert (screen.runs, screen.finding) == (0, None)
