"""Percentiles cover what they claim to; thinning keeps the ends."""

import numpy as np
import pytest

from benchmarks.stats import median_bootstrap, percentile, thinned, variation


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_the_interval_covers_the_true_percentile(level):
    generator = np.random.default_rng(11)
    truth = -np.log(1 - level)  # of the unit exponential, whose tail is long
    found = [percentile(generator.exponential(size=400), level) for _ in range(1000)]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.92 < covered <= 1.0


def test_a_bound_that_the_samples_cannot_give_is_none():
    interval = percentile(np.arange(20.0), 0.99)
    assert interval.high is None
    assert interval.low is not None


def test_the_bootstrap_bounds_the_median():
    samples = np.random.default_rng(3).normal(10, 1, size=20)
    interval = median_bootstrap(samples)
    assert interval.low < np.median(samples) < interval.high
    assert median_bootstrap(samples) == interval, "seeded: the same samples give the same bounds"
    assert median_bootstrap(samples[:2]).low is None


def test_thinning_keeps_the_first_and_the_last_in_order():
    kept = thinned(np.arange(10_000.0), most=100)
    assert len(kept) == 100
    assert kept[0] == 0
    assert kept[-1] == 9999
    assert list(kept) == sorted(kept)
    assert thinned(np.arange(5.0)) == (0.0, 1.0, 2.0, 3.0, 4.0)


def test_variation():
    assert variation(np.array([1.0])) == 0.0
    assert variation(np.array([9.0, 10.0, 11.0])) == pytest.approx(0.1)
