"""The fast statistic is the literal one."""

import numpy as np
import pytest

from perfsite.regressions.detection.contrast import contrast_best
from perfsite.regressions.detection.evidence import split_best
from perfsite.regressions.detection.personas import STRICT
from perfsite.regressions.detection.wobble import mean_variance, point_noise, wobble_curve
from tests.regressions.detection_reference import best_reference, curve_reference, variance_reference


def _noise(seed: int, points: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=points)) * 0.2 * (seed % 2)
    return np.clip(rng.normal(size=points) + walk + (np.arange(points) > points - 9) * (seed % 3), -4.5, 4.5)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("points", [6, 17, 40, 128])
def test_curve_and_best_split_are_those_of_the_reference(seed: int, points: int) -> None:
    clipped = _noise(seed, points)
    curve = wobble_curve(clipped)
    assert curve == pytest.approx(curve_reference(clipped.tolist()), rel=1e-7)
    variances = mean_variance(curve)
    for k in (1, 4, 33, 64, 128):
        assert variances[k - 1] == pytest.approx(variance_reference(curve.tolist(), k), rel=1e-9)
    found = contrast_best(clipped, variances, freedom=20.0, reach=64, earliest=4)
    start, score, sure = best_reference(clipped.tolist(), curve.tolist(), freedom=20.0, reach=64, earliest=4)
    assert found is not None
    assert (found.start, found.score) == (start, pytest.approx(score, rel=1e-7))
    assert found.sure == pytest.approx(sure, rel=1e-6)


def test_white_noise_pays_little_and_a_walk_pays_much() -> None:
    rng = np.random.default_rng(4)
    white, walk = rng.normal(size=128), np.cumsum(rng.normal(size=128)) * 0.5
    assert wobble_curve(white)[-1] < 2.0 * wobble_curve(white)[0]
    assert wobble_curve(walk - walk.mean())[-1] > 8.0 * wobble_curve(walk - walk.mean())[0]


@pytest.mark.parametrize("size", [6.0, 30.0])
def test_a_step_is_not_counted_as_the_wobble_it_is_held_against(size: float) -> None:
    """Its score grows with every point, and it is placed exactly, though one point is clipped at 4.5."""
    white = np.random.default_rng(5).normal(size=90)
    stepped = white + (np.arange(90) >= 60) * size
    splits = [
        split_best(stepped[:count], count, least=2.0, reach=64, earliest=6) for count in (62, 66, 72, 84)
    ]
    assert [split.start for split in splits if split] == [60] * 4
    scores = [split.score for split in splits if split]
    assert scores == sorted(scores)
    assert scores[0] > STRICT.score


def test_a_second_step_soon_after_the_first_is_seen() -> None:
    white = np.random.default_rng(6).normal(size=40)
    residuals = np.concatenate((white[:31], 12.0 + white[31:36]))  # nine points of a level, then five
    split = split_best(residuals, 14, least=2.0, reach=64, earliest=6)
    assert split is not None
    assert (split.start, split.score > STRICT.score) == (9, True)


def test_point_noise_is_that_of_normal_values_and_never_zero() -> None:
    rng = np.random.default_rng(6)
    assert point_noise(rng.normal(size=5000), prior=0.1, weight=3.0) == pytest.approx(1.0, rel=0.06)
    assert point_noise(np.zeros(100), prior=0.1, weight=3.0) > 0
    assert point_noise(np.zeros(1), prior=0.1, weight=3.0) == 0.1


def test_there_is_no_split_of_too_few_points() -> None:
    assert contrast_best(np.zeros(4), np.ones(128), freedom=9.0, reach=64, earliest=4) is None
