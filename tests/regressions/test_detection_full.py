"""The full pass, and the scores of everything on seeds nobody tuned on."""

import time

import numpy as np
import pytest

from perfsite.regressions.detection import changes_find
from tests.regressions.detection_loom import series_generate
from tests.regressions.detection_score import scores


def _stairs(places: list[int], points: int, noise: float = 0.01, seed: int = 1) -> np.ndarray:
    steps = np.zeros(points)
    for number, place in enumerate(places):
        steps[place:] += 0.05 * (-1) ** (number // 2)
    return np.exp(steps + noise * np.random.default_rng(seed).normal(size=points))


def test_steps_are_found_where_they_are_with_the_levels_on_both_sides():
    found = changes_find(_stairs([50, 120, 200, 260], 320))
    assert [change.index for change in found] == pytest.approx([50, 120, 200, 260], abs=1)
    assert [round(np.log(change.after / change.before), 2) for change in found] == pytest.approx(
        [0.05, 0.05, -0.05, -0.05], abs=0.011
    )


def test_ten_thousand_points_take_less_than_a_second():
    places = list(range(500, 10_000, 500))
    values = _stairs(places, 10_000)
    start = time.process_time()
    found = changes_find(values)
    assert time.process_time() - start < 1.0
    indices = np.array([change.index for change in found])
    assert [int(np.abs(indices - place).min()) for place in places] == pytest.approx([0] * 19, abs=2)
    assert len(found) <= 22  # 0.3 false alarms per 1,000 points


def test_every_change_has_evidence_and_size_and_its_own_place():
    for seed in range(1, 37):
        values = series_generate(seed).values
        found = changes_find(values, relevant=0.02)
        places = [change.index for change in found]
        assert places == sorted(set(places))
        for change in found:
            assert 0 < change.index < len(values)
            assert abs(change.score) >= 3.9
            assert abs(change.relative) >= 0.8 * 0.02
            assert (change.relative > 0) == (change.after > change.before)


def test_creep_is_one_change_within_its_slope():
    for seed in range(30):
        ramp = 0.1 * np.clip((np.arange(160) - 60) / 30, 0, 1)
        (change,) = changes_find(np.exp(ramp + 0.005 * np.random.default_rng(seed).normal(size=160)))
        assert 60 <= change.index <= 90
        assert change.relative == pytest.approx(0.105, abs=0.02)


@pytest.mark.parametrize("name", ["loom", "quarry"])
def test_the_scores_on_seeds_nobody_tuned_on(name):
    """Bounds below the figures in the README: this finds a broken detector, not a lucky seed."""
    table = {persona: kinds["ALL"] for persona, kinds in scores(name, range(50_001, 50_091)).items()}
    assert table["full pass"].f1 > 0.74
    assert table["full pass"].false_rate < 1.2
    assert table["strict"].f1 > 0.72
    assert table["strict"].false_rate < 2.0
    assert table["with runs"].f1 > 0.77
    assert table["with runs"].false_rate < 0.5
    assert table["with runs"].runs / table["with runs"].builds < 0.3
