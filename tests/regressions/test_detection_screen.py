"""The screen on made-up series: each rule alone, then the score on seeds nobody tuned on."""

import math

import numpy as np
import pytest
from scipy import stats

from perfsite.regressions.detection import screen
from perfsite.regressions.detection.noise import relative_differences
from perfsite.regressions.detection.student import normal_score, student_quantile, two_sided_p
from tests.regressions.detection_truth import KINDS, screen_score

LATENCY = {"better": "lower", "relevant": 0.03, "grain": 0.0}


def quiet(n: int, *, sigma: float = 0.01, level: float = 1.0, seed: int = 1) -> list[float]:
    rng = np.random.default_rng(seed)
    return list(level * (1 + sigma * rng.normal(size=n)))


def test_a_step_of_the_newest_point_is_suspicious():
    found = screen([*quiet(20), 1.15], **LATENCY)
    assert (found.kind, found.because, found.start) == ("regressed", "beyond_noise", 20)
    assert found.relative == pytest.approx(0.15, abs=0.02)
    assert found.relative_low < 0.15 < found.relative_high
    assert found.p_value < 0.01
    assert found.points == 20


def test_direction_comes_from_the_metric():
    values = [*quiet(20), 1.15]
    assert screen(values, **{**LATENCY, "better": "higher"}).kind == "improved"
    assert screen([*quiet(20), 0.85], **LATENCY).kind == "improved"


def test_a_step_the_first_point_did_not_show_is_put_where_it_began():
    values = [*quiet(30, sigma=0.02), *quiet(5, sigma=0.02, level=1.06, seed=2)]
    assert screen(values[:31], **LATENCY).kind == "same"
    found = screen(values, **LATENCY)
    assert (found.kind, found.start) == ("regressed", 30)


def test_a_change_within_the_noise_is_the_same():
    assert screen([*quiet(20, sigma=0.05), 1.08], **LATENCY).because == "within_noise"


def test_a_change_that_is_too_small_to_matter_is_the_same():
    found = screen([*quiet(200, sigma=0.001), 1.02], **LATENCY)
    assert (found.kind, found.because) == ("same", "too_small")
    assert abs(found.score) > 3


def test_a_change_below_the_grain_is_the_same():
    assert screen([*quiet(50, sigma=0.001), 1.2], better="lower", relevant=0.03, grain=0.5).kind == "same"


def test_few_points_say_nothing_unless_the_change_is_huge_and_lasts():
    assert screen([1.0], **LATENCY).because == "no_history"
    assert screen([1.0, 1.0, 1.2], **LATENCY).kind == "unknown"
    assert screen([1.0, 1.01, 3.0], **LATENCY).because == "few_points"
    lasting = screen([1.0, 1.01, 3.0, 3.1, 2.9], **LATENCY)
    assert (lasting.kind, lasting.start) == ("regressed", 2)
    assert screen([1.0, 1.01, 1.2, 1.2, 1.2], **LATENCY).kind == "unknown"


def test_a_short_history_is_enough_for_a_clear_step():
    assert screen([1.0, 1.01, 0.99, 1.0, 1.02, 1.2], **LATENCY).kind == "regressed"


def test_a_step_in_the_history_does_not_raise_the_noise():
    before = screen([*quiet(20), 1.15], **LATENCY)
    behind = screen([*quiet(20, level=5.0), *quiet(20, seed=2), 1.15], level_start=20, **LATENCY)
    assert behind.kind == "regressed"
    assert behind.noise < 2 * before.noise


def test_the_level_is_that_since_the_last_settled_change():
    values = [*quiet(20), *quiet(10, level=1.5, seed=2), 1.52]
    assert screen(values, level_start=20, **LATENCY).kind == "same"
    assert screen(values, **LATENCY).kind == "regressed"


def test_one_spike_in_the_history_hides_nothing():
    values = quiet(20)
    values[12] = 3.0
    assert screen([*values, 1.15], **LATENCY).kind == "regressed"


def test_equal_values_have_a_noise_too():
    found = screen([1024.0] * 20 + [1024.0 * 1.01], **LATENCY)
    assert found.kind == "same"
    assert found.noise > 0
    assert screen([1024.0] * 20 + [1024.0 * 1.2], **LATENCY).kind == "regressed"


def test_zeros_are_values():
    found = screen([0.0] * 10 + [5.0], better="lower", relevant=0.03, grain=1.0)
    assert found.relative == 1.0
    assert all(math.isfinite(x) for x in (found.score, found.relative_low, found.relative_high))
    assert screen([0.0] * 11, **LATENCY).kind == "same"
    assert list(relative_differences(np.array([0.0, 0.0, 1.0, -1.0]))) == [0.0, 2.0, -2.0]


def test_exact_metrics_are_certain_beyond_their_grain():
    rule = {"better": "lower", "relevant": 0.0, "grain": 4.0, "exact": True}
    assert screen([100, 104], **rule).kind == "same"
    found = screen([100, 105], **rule)
    assert (found.kind, found.because, found.p_value) == ("regressed", "exact", 0.0)
    assert found.relative_low == found.relative == found.relative_high == pytest.approx(0.05)
    assert screen([100, 90], **rule).kind == "improved"


def test_unstable_points_are_left_out_unless_most_are():
    values = [*quiet(20), 1.09]
    marks = [False] * 20 + [True]
    assert screen(values, **LATENCY).kind == "regressed"
    found = screen(values, unstable=marks, **LATENCY)
    assert (found.kind, found.because) == ("unknown", "unstable")
    later = screen([*quiet(20), 3.0, 1.3], unstable=[*marks, False], **LATENCY)
    assert (later.kind, later.start) == ("regressed", 21)
    assert later.after == 1.3
    assert screen(values, unstable=[True] * 21, **LATENCY).kind == "regressed"  # the noise says so already


def test_wide_samples_of_the_newest_point_widen_the_doubt():
    values = [*quiet(20), 1.09]
    wide = [np.ones(5)] * 20 + [np.array([0.5, 0.8, 1.09, 1.4, 1.9])]
    assert screen(values, samples=wide, **LATENCY).because == "unstable"
    assert screen(values, samples=[np.ones(50)] * 21, **LATENCY).kind == "regressed"


def test_a_value_that_two_comparisons_refuted_is_the_same():
    values = quiet(30)
    values[10] = values[20] = 1.15
    newest = [*values, 1.15]
    assert screen(newest, **LATENCY).kind == "regressed"
    assert screen(newest, cleared=[10], **LATENCY).kind == "regressed"
    assert screen(newest, cleared=[10, 20], **LATENCY).because == "cleared"
    assert screen([*values, 1.4], cleared=[10, 20], **LATENCY).kind == "regressed"


def test_nonsense_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="got shape"):
        screen([], **LATENCY)
    with pytest.raises(ValueError, match="level_start 3 is not one of the 2 points"):
        screen([1.0, 1.0], level_start=3, **LATENCY)


@pytest.mark.parametrize("freedom", [4, 7, 20, 100])
def test_the_normal_score_is_as_unlikely_as_the_t(freedom):
    for t in (0.5, 2.0, 3.5, 6.0):
        truth = stats.norm.isf(stats.t.sf(t, freedom))
        assert normal_score(t, freedom) == pytest.approx(truth, abs=0.03)
        assert student_quantile(normal_score(t, freedom), freedom) == pytest.approx(t)
    assert two_sided_p(1.959964) == pytest.approx(0.05, abs=1e-6)


def test_the_score_on_seeds_nobody_tuned_on():
    """Bounds well below the figures in the README: this finds a broken screen, not a lucky seed."""
    score = screen_score(range(1001, 1001 + 9 * len(KINDS)))
    assert score.steps > 60
    assert score.within_5 > 0.5
    assert score.at_once > 0.35
    assert score.false_per_1000 < 15
