"""Leaks told from what only looks like one, and readings that fit on a disk."""

from pathlib import Path

import numpy as np
import pytest
from leak_shapes import HARMLESS, KIB, LEAKS, readings
from scipy import stats

from benchmarks.leaks.trend import autocorrelation_inflation, kendall_variance, rises_needed, slope_of
from benchmarks.leaks.verdict import ALPHA, Series, found_after, segments_judge

ROOT = Path(__file__).resolve().parents[2]
GRAIN = 16 * KIB


def judged(*series: Series) -> str:
    return segments_judge(series, grain=GRAIN, counters=3).word


# the trend


def test_the_slope_is_scipys():
    rng = np.random.default_rng(1)
    for n in (8, 16, 41):
        x = np.cumsum(rng.uniform(0.5, 2, n))
        y = 3 * x + rng.standard_t(2, n)
        ours, theirs = slope_of(x, y, independent=True), stats.theilslopes(y, x, alpha=0.95)
        assert ours.value == pytest.approx(theirs.slope)
        assert ours.low <= theirs.low_slope + 1e-12  # the same ranks, rounded outwards
        assert ours.high >= theirs.high_slope - 1e-12


def test_the_bounds_hold_the_true_slope_as_often_as_they_say():
    rng, x = np.random.default_rng(2), np.arange(16.0)
    held = sum(
        slope.low <= 2 <= slope.high
        for slope in (slope_of(x, 2 * x + rng.normal(0, 3, x.size)) for _ in range(600))
    )
    assert held / 600 >= 0.93


def test_bounds_are_wider_where_neighbours_are_alike():
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(0, 1, 32))
    assert autocorrelation_inflation(walk - np.polyval(np.polyfit(range(32), walk, 1), range(32))) > 1.5
    inflations = [autocorrelation_inflation(rng.normal(0, 1, 32)) for _ in range(200)]
    assert np.median(inflations) == pytest.approx(1, abs=0.05)


def test_the_variance_of_kendalls_s_counts_ties():
    assert kendall_variance(np.arange(10.0)) == pytest.approx(10 * 9 * 25 / 18)
    assert kendall_variance(np.zeros(10)) == pytest.approx(0)


@pytest.mark.parametrize("alpha", [0.05, 1e-3, 1e-5])
def test_so_many_rises_are_as_rare_as_asked(alpha):
    for steps in (15, 31):
        needed = rises_needed(steps, alpha)
        assert stats.binom.sf(needed - 1, steps, 0.5) <= alpha
        assert stats.binom.sf(needed - 2, steps, 0.5) > alpha
    assert rises_needed(5, 1e-3) == 6, "five steps cannot be rare enough"


def test_too_few_points_have_no_bounds():
    with pytest.raises(ValueError, match="at least 4 points"):
        slope_of(np.arange(3.0), np.arange(3.0))


# the verdict


@pytest.mark.parametrize("seconds", [1.0, 5.0, 60.0])
def test_false_alarms_and_detections_of_simulated_soaks(seconds):
    """At most one false leak in a thousand soaks; every leak of the list found in 5 s."""
    count = {1.0: 100, 5.0: 60, 60.0: 12}[seconds]
    rng = np.random.default_rng(int(seconds))

    def rate(shape):
        return sum(judged(readings(rng, shape, seconds=seconds)) == "leak" for _ in range(count)) / count

    false = {name: rate(shape) for name, shape in HARMLESS.items()}
    found = {name: rate(shape) for name, shape in LEAKS.items()}
    told = f"soaks of {seconds:g} s, {count} of each shape\nfalse leaks: {false}\nleaks found: {found}"
    assert sum(false.values()) * count <= 1, told
    if seconds >= 5:
        assert min(found.values()) >= 0.95, told


def test_what_grew_and_is_no_leak_has_its_own_word():
    rng = np.random.default_rng(4)
    assert judged(readings(rng, HARMLESS["logarithm"], seconds=10)) == "settling"
    steps = readings(rng, lambda rng, t, i: np.where(t > 6, 32.0 * KIB, 0), seconds=10)
    assert judged(steps) == "stepped"
    assert judged(readings(rng, HARMLESS["flat"], seconds=10)) == "steady"
    assert judged(readings(rng, LEAKS["1 KiB"], seconds=0.5)) == "short"
    assert judged() == "short"


def test_the_slope_of_a_leak_is_bytes_per_iteration():
    series = readings(np.random.default_rng(5), LEAKS["1 KiB under a sawtooth"], seconds=30)
    slope = segments_judge([series], grain=GRAIN, counters=3).slope
    assert slope.value == pytest.approx(KIB, rel=0.02)
    assert slope.low <= KIB <= slope.high


def test_segments_are_processes_and_no_slope_crosses_them():
    """Each process begins higher than the last, and none of them grows."""
    rng = np.random.default_rng(6)
    higher = [readings(rng, lambda rng, t, i, n=n: np.full(t.size, n * 1e8), seconds=5) for n in range(8)]
    assert judged(*higher) == "steady"
    lower = [readings(rng, lambda rng, t, i, n=n: i * KIB - n * 1e8, seconds=5) for n in range(8)]
    assert judged(*lower) == "leak"


def test_many_segments_tell_what_one_cannot():
    rng, leak = np.random.default_rng(7), lambda rng, t, i: i * 8.0 + rng.normal(0, 32 * KIB, t.size)
    segments = [readings(rng, leak, seconds=20) for _ in range(24)]
    assert judged(segments[0]) != "leak"
    verdict = segments_judge(segments, grain=GRAIN, counters=3)
    assert verdict.is_leak
    assert verdict.slope.value == pytest.approx(8, rel=0.3)
    walks = [readings(rng, HARMLESS["random_walk"], seconds=20) for _ in range(24)]
    assert judged(*walks) != "leak"


def test_a_segment_that_was_cut_short_does_not_spoil_the_others():
    rng = np.random.default_rng(8)
    whole, cut = (readings(rng, LEAKS["1 KiB"], seconds=seconds) for seconds in (20, 2))
    verdict = segments_judge([whole, cut], grain=GRAIN, counters=3)
    assert verdict.slope.value == pytest.approx(KIB, rel=0.01)


def test_a_leak_is_found_early_and_stays_found():
    rng = np.random.default_rng(9)
    assert found_after(readings(rng, LEAKS["1 KiB"], seconds=60), grain=GRAIN, counters=3) <= 2
    late = readings(rng, lambda rng, t, i: np.maximum(i - i[t.size // 3], 0) * KIB, seconds=60)
    assert found_after(late, grain=GRAIN, counters=3) > 30
    assert found_after(readings(rng, HARMLESS["flat"], seconds=60), grain=GRAIN, counters=3) is None


def test_looking_often_has_its_price_in_the_level():
    assert sum(ALPHA / (look * (look + 1)) for look in range(1, 10_000)) <= ALPHA
