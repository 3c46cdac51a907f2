"""Chart data: pure functions from rows to what is drawn."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfsite.dashboards.charts.pairs import pairs_plot, round_values
from perfsite.dashboards.charts.series import (
    buckets_columns,
    delta_between,
    deltas_of,
    facts_changed,
    facts_label,
    points_columns,
    scale_for,
)
from perfsite.dashboards.charts.sparkline import bar_segments, geometric_means, sparkline
from perfsite.results.rows import BucketRow, PointRow

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
positive = st.floats(min_value=1e-9, max_value=1e12)


def point(ordinal: int, value: float, low: float | None = None, high: float | None = None) -> PointRow:
    return PointRow(ordinal, value, low, high, 10, False, 1, 7, "a" * 40, "subject", "Ada", NOON)


def test_a_delta_is_the_ratio_less_one():
    delta = delta_between(point(1, 0.010), point(2, 0.011))
    assert delta.relative == pytest.approx(0.1)
    assert delta.low is None
    assert delta.high is None


def test_a_deltas_interval_adds_the_two_half_widths_in_quadrature():
    # half widths of 3 % and 4 % on the log scale make one of 5 %
    before = point(1, 1.0, math.exp(-0.03), math.exp(0.03))
    after = point(2, 1.0, math.exp(-0.04), math.exp(0.04))
    delta = delta_between(before, after)
    assert delta.relative == 0
    assert delta.low == pytest.approx(math.exp(-0.05) - 1)
    assert delta.high == pytest.approx(math.exp(0.05) - 1)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_a_delta_there_and_one_back_cancel(first, second):
    there = delta_between(point(1, first), point(2, second))
    back = delta_between(point(1, second), point(2, first))
    assert (1 + there.relative) * (1 + back.relative) == pytest.approx(1)


def test_a_value_that_is_not_positive_has_no_delta():
    assert delta_between(point(1, 0.0), point(2, 1.0)) is None
    assert deltas_of([]) == []
    assert len(deltas_of([point(1, 1.0), point(2, 2.0)])) == 2


@pytest.mark.parametrize(
    ("metric", "values", "unit", "factor"),
    [
        ("latency_p50", [0.004, 0.005], "ms", 1e-3),
        ("latency_p50", [2.5e-6], "µs", 1e-6),
        ("host_peak_memory", [3 * 2.0**20], "MiB", 2.0**20),
        ("cpu_utilisation", [0.4], "%", 0.01),
        ("throughput", [900.0], "/s", 1.0),
        ("parameter_count", [25e6], "", 1.0),
        ("a_metric_of_tomorrow", [1.0], "", 1.0),
        ("latency_p50", [], "s", 1.0),
    ],
)
def test_the_unit_is_chosen_once_for_the_chart(metric, values, unit, factor):
    scale = scale_for(metric, values)
    assert (scale.unit, scale.factor) == (unit, factor)


def test_columns_have_one_entry_per_point():
    rows = [point(1, 0.004, 0.0039, 0.0041), point(3, 0.005)]
    data = points_columns(rows, metric="latency_p50")
    assert data["x"] == [1, 3]
    assert data["value"] == [pytest.approx(4), pytest.approx(5)]
    assert data["low"] == [pytest.approx(3.9), None]
    assert data["sha"] == ["aaaaaaa", "aaaaaaa"]
    columns = [value for value in data.values() if isinstance(value, list)]
    assert {len(column) for column in columns} == {2}


def test_buckets_keep_the_least_and_the_largest():
    data = buckets_columns([BucketRow(1, 5, 0.001, 0.009, 0.004, 5)], metric="latency_p50")
    assert (data["low"], data["high"], data["x"]) == ([pytest.approx(1)], [pytest.approx(9)], [3.0])


def test_changed_facts_are_named_shortly():
    changed = facts_changed(
        {"driver": "570", "os": "a", "x": 1}, {"driver": "580", "os": "b", "y": 2, "x": 1}
    )
    assert changed == [("driver", "570", "580"), ("os", "a", "b"), ("y", None, 2)]
    assert facts_label(changed) == "driver 570 → 580, os a → b, 1 more"
    assert facts_label([]) == ""


@given(st.lists(st.tuples(st.integers(1, 1000), positive), min_size=1, max_size=50, unique_by=lambda p: p[0]))
def test_a_sparkline_stays_inside_its_picture(points):
    picture = sparkline(sorted(points), width=100, height=20)
    places = [tuple(map(float, place.split(","))) for place in picture.line.split()]
    assert all(0 <= x <= 100 and 0 <= y <= 20 for x, y in places)
    assert len(places) == (len(points) if len(points) > 1 else 0)


def test_small_noise_does_not_fill_a_sparkline():
    picture = sparkline([(1, 100.0), (2, 100.4), (3, 99.8)], height=40)
    heights = [float(place.split(",")[1]) for place in picture.line.split()]
    assert max(heights) - min(heights) < 8


def test_a_sparkline_marks_what_moved():
    picture = sparkline([(1, 1.0), (2, 2.0)], marks={2: "regressed", 9: "improved"})
    assert [mark.tone for mark in picture.marks] == ["regressed"]
    assert sparkline([]).last is None


def test_geometric_means_do_not_care_which_series_a_build_lacks():
    slow, fast = [(1, 10.0), (2, 10.0), (3, 10.0)], [(1, 1.0), (3, 1.0)]
    assert [value for _, value in geometric_means([slow, fast])] == pytest.approx([1, 1, 1])
    doubled = geometric_means([[(1, 1.0), (2, 2.0)], [(1, 5.0), (2, 10.0)]])
    assert doubled[1][1] / doubled[0][1] == pytest.approx(2)


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)))
def test_a_bar_is_full_or_empty(counts):
    segments = bar_segments(counts, order="abc")
    assert sum(part.count for part in segments) == sum(counts.values())
    if segments:
        assert sum(part.width for part in segments) == pytest.approx(100, abs=0.1)


def test_pairs_are_drawn_with_the_slower_one_higher():
    plot = pairs_plot([0.004, 0.0041], [0.005, 0.0049], metric="latency_p50")
    assert plot.unit == "ms"
    assert [pair.b < pair.a for pair in plot.pairs] == [True, True]
    assert "+25.00 %" in plot.pairs[0].title
    assert pairs_plot([], [], metric="latency_p50") is None


def test_pairs_that_are_all_equal_can_be_drawn():
    plot = pairs_plot([2.0, 2.0], [2.0, 2.0], metric="throughput")
    assert plot.pairs[0].a == plot.pairs[0].b


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_round_values_are_few_and_inside(low, span):
    values = round_values(low, low + span)
    assert 1 <= len(values) <= 5
    slack = span * 1e-6 + abs(low) * 1e-9
    assert all(low - slack <= value <= low + span + slack for value in values)
