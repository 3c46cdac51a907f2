"""Numbers, times and states as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from perfsite.dashboards.formatting import (
    ago_text,
    badge_for,
    change_text,
    duration_text,
    metric_direction,
    metric_title,
    percent_text,
    plural,
    value_text,
)
from perfsite.regressions.incident_states import STATES
from perfsite.regressions.models import Verdict
from perfsite.runs.states import ATTEMPT_STATES, BUILD_STATES, JOB_STATES

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("relative", "low", "high", "text"),
    [
        (0.069, 0.061, 0.078, "+6.9\u00a0% [6.1, 7.8]"),
        (-0.174, -0.186, -0.162, "−17.4\u00a0% [−18.6, −16.2]"),
        (0.0032, None, None, "+0.32\u00a0%"),
        (1.52, 1.4, 1.6, "+152\u00a0% [140, 160]"),
        (0.0, None, None, "0\u00a0%"),
        (-0.00001, None, None, "0.00\u00a0%"),
        (None, None, None, "–"),
    ],
)
def test_changes(relative, low, high, text):
    assert change_text(relative, low, high) == text


def test_a_percentage_without_an_interval():
    assert percent_text(0.05) == "+5.0\u00a0%"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "just now"),
        (42, "42 s ago"),
        (12 * 60 + 30, "12 min ago"),
        (3 * 3600, "3 h ago"),
        (86400, "1 day ago"),
        (5 * 86400, "5 days ago"),
        (60 * 86400, "2026-09-22"),
        (-90, "in 1 min 30 s"),
    ],
)
def test_how_long_ago(seconds, text):
    assert ago_text(NOW - timedelta(seconds=seconds), now=NOW) == text


def test_what_never_was():
    assert ago_text(None, now=NOW) == "never"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.85, "850 ms"), (4.25, "4.2 s"), (42, "42 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (None, "–")],
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


def test_values_carry_their_unit():
    assert value_text(0.00412, "latency_p50") == "4.12 ms"
    assert value_text(None, "latency_p50") == "–"
    assert value_text(3.14159, "a_metric_of_tomorrow") == "3.14"


def test_metrics_have_titles_and_directions():
    assert metric_title("latency_p50") == "Latency p50"
    assert metric_title("a_metric_of_tomorrow") == "a metric of tomorrow"
    assert metric_direction("throughput") == "higher is better"
    assert metric_direction("engine_layers") == ""


def test_every_state_of_the_site_has_a_badge_of_its_own():
    states = {*BUILD_STATES, *JOB_STATES, *ATTEMPT_STATES, *Verdict.Kind.values, *STATES}
    unknown = badge_for("no such state")
    assert unknown.word == "no such state"
    bare = [state for state in states if badge_for(state).word != state.replace("_", " ")]
    assert bare == []
    assert badge_for("regressed").shape != badge_for("improved").shape != badge_for("unknown").shape


def test_plurals():
    assert plural(1, "build") == "1 build"
    assert plural(2400, "build") == "2,400 builds"
    assert plural(0, "match", "matches") == "0 matches"
