"""Shares with exact intervals, kinds of series."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from benchmarks.metrics import METRICS
from perfsite.regressions.grading.rates import kind_of, rate_of


@pytest.mark.parametrize(
    ("count", "total"), [(0, 1), (1, 1), (0, 300), (1, 100), (7, 12), (300, 300), (41, 9000), (5000, 9000)]
)
def test_the_interval_is_the_exact_one(count, total):
    rate = rate_of(count, total)
    exact = binomtest(count, total).proportion_ci(method="exact")
    assert rate.value == count / total
    assert rate.low == pytest.approx(exact.low, abs=1e-9)
    assert rate.high == pytest.approx(exact.high, abs=1e-9)


def test_of_nothing_there_is_no_share():
    rate = rate_of(0, 0)
    assert (rate.value, rate.low, rate.high) == (None, None, None)


def test_more_than_all_is_refused():
    with pytest.raises(ValueError, match="3 of 2"):
        rate_of(3, 2)


def test_every_judged_metric_has_a_kind_of_its_own_nature():
    groups = {name: kind_of(name, "cpu").group for name, row in METRICS.items() if row.better}
    assert groups["latency_p50"] == "latency"
    assert groups["latency_p99"] == "tails"
    assert groups["gpu_compute_time_p50"] == "GPU time"
    assert groups["model_size"] == "counted"
    assert groups["host_peak_memory"] == "memory and sizes"
    assert groups["load_time"] == "start and build"
    assert kind_of("evaluate.higher.top1", "cpu").group == "quality"
    assert kind_of("a_metric_of_tomorrow", "cpu").group == "other"
