"""Promises of the online screen and of the full pass."""

import json

import numpy as np
import pytest

from perfsite.regressions.detection.full import changes_find
from perfsite.regressions.detection.online import OnlineScreen, changes_told
from perfsite.regressions.detection.personas import EAGER
from tests.regressions.detection_loom import series_generate


def _step(
    points: int = 120, at: int = 60, size: float = 0.1, noise: float = 0.01, seed: int = 0
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (1 + size * (np.arange(points) >= at)) * np.exp(noise * rng.normal(size=points))


@pytest.mark.parametrize("seed", range(1, 28))
def test_what_is_told_for_a_prefix_is_told_for_the_whole(seed: int) -> None:
    values = series_generate(seed).values.tolist()
    whole = changes_told(values)
    for length in (30, 60, len(values) // 2, len(values)):
        assert changes_told(values[:length]) == [told for told in whole if told.detected_at < length]


@pytest.mark.parametrize("seed", range(1, 10))
def test_state_survives_json_at_every_build_and_stays_small(seed: int) -> None:
    values = series_generate(seed).values.tolist()
    screen, told = OnlineScreen(), []
    for value in values:
        text = json.dumps(screen.state())
        assert len(text) < 4000
        screen = OnlineScreen.from_state(json.loads(text))
        found = screen.append(value)
        told += [found] if found else []
    assert told == changes_told(values)


def test_state_does_not_grow() -> None:
    screen = OnlineScreen()
    sizes = []
    for value in _step(5000, at=4000).tolist():
        screen.append(value)
        sizes.append(len(screen.state()["kept"]))  # type: ignore[arg-type]
    assert max(sizes) == 128


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 2.0**10, 1e12])
def test_scale_does_not_matter(scale: float) -> None:
    values = _step()
    assert [t.index for t in changes_told(values)] == [t.index for t in changes_told(values * scale)]
    assert [c.index for c in changes_find(values)] == [c.index for c in changes_find(values * scale)]


@pytest.mark.parametrize("kind", ["reciprocal", "negative"])
def test_both_directions_are_alike(kind: str) -> None:
    values = _step()
    mirrored = 1 / values if kind == "reciprocal" else -values
    assert [t.index for t in changes_told(mirrored)] == [t.index for t in changes_told(values)] == [60]
    assert [c.index for c in changes_find(mirrored)] == [60]


def test_a_step_is_told_once_at_its_build_with_its_levels() -> None:
    (told,) = changes_told(_step())
    assert (told.index, told.detected_at) == (60, 62)
    assert told.last_good < told.index <= told.suspect
    assert told.relative == pytest.approx(0.1, abs=0.02)
    (change,) = changes_find(_step())
    assert change.after / change.before == pytest.approx(1.1, abs=0.01)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match="value 2 of the series is"):
        changes_told([1.0, 2.0, value])
    with pytest.raises(ValueError, match="value 2 of the series is"):
        changes_find([1.0, 2.0, value])


@pytest.mark.parametrize(
    "values",
    [[], [1.0], [0.0] * 50, [5.0] * 200, [-3.0] * 40, [1e308] * 40, [5e-324] * 40, [0.0, 1.0]],
)
def test_nothing_is_told_where_nothing_changes(values: list[float]) -> None:
    assert changes_told(values) == []
    assert changes_find(values) == ()


def test_zero_may_come_late_and_from_nothing_to_something_is_a_change() -> None:
    late = [*_step(40, at=100).tolist(), *([0.0] * 10)]
    assert [t.index for t in changes_told(late)] == [40]
    assert [t.index for t in changes_told([0.0] * 20 + [3.0] * 10)] == [20]


@pytest.mark.parametrize("values", [[[1.0, 2.0]], [[1.0], [2.0]]])
def test_a_table_is_no_series(values: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="flat list"):
        changes_find(values)


def test_a_young_project_hears_of_a_large_step() -> None:
    caught = [
        any(abs(t.index - 8) <= 2 for t in changes_told(_step(16, at=8, size=0.2, noise=0.02, seed=seed)))
        for seed in range(40)
    ]
    assert np.mean(caught) >= 0.9


def test_grain_and_relevance_bound_what_is_told() -> None:
    values = _step(size=0.1)
    assert not changes_told(values, OnlineScreen(grain=0.2))
    assert not changes_told(values, OnlineScreen(relevant=0.2))
    assert not changes_find(values, grain=0.2)
    assert not changes_find(values, relevant=0.2)


def test_creep_over_thirty_builds_is_told_and_in_two_series_of_five_more_than_once() -> None:
    """Measured over 200 seeds: once in 115, twice in 61, three times in 24 (a known limit)."""
    told = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        ramp = 0.1 * np.clip((np.arange(160) - 60) / 30, 0, 1)
        told.append(len(changes_told(np.exp(ramp + 0.005 * rng.normal(size=160)))))
    assert min(told) >= 1
    assert max(told) <= 3
    assert np.mean(np.array(told) == 1) >= 0.4


def test_noise_that_grows_threefold_gives_false_alarms_a_known_limit() -> None:
    """Measured over 200 seeds: 27 in 40,000 points, where steady noise gives none."""
    steady, louder = [], []
    for seed in range(60):
        noise = 0.005 * np.random.default_rng(seed).normal(size=200)
        steady += changes_told(np.exp(noise))
        louder += changes_told(np.exp(noise * np.where(np.arange(200) < 100, 1, 3)))
    assert len(steady) <= 2
    assert len(louder) <= 20


def test_a_refuted_suspicion_is_not_named_again_at_once_and_a_confirmed_one_begins_a_level() -> None:
    values = _step(at=60).tolist()
    refuted, confirmed = OnlineScreen(EAGER), OnlineScreen(EAGER)
    for value in values[:62]:
        suspicion = refuted.append(value)
        again = confirmed.append(value)
    assert suspicion == again
    assert suspicion is not None
    assert suspicion.last_good < 60 <= suspicion.suspect
    assert refuted.settle(suspicion, changed=False) is None
    assert confirmed.settle(suspicion, changed=True) == suspicion
    again = next(told for value in values[62:] if (told := refuted.append(value)))
    assert abs(again.score) >= 1.3 * abs(suspicion.score)  # it must have grown
    assert [confirmed.append(value) for value in values[62:]] == [None] * 58
