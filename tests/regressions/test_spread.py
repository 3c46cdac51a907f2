"""A level whose scatter grew: told as a remark, and only where the level stayed."""

import numpy as np
import pytest

from perfsite.regressions.detection.spread import NEW, OLD, spread_grown
from tests.regressions.detection_loom import KINDS


def scattered(*parts: tuple[int, float], seed: int = 1) -> np.ndarray:
    """Values about 5 with parts of so many points and such a relative scatter."""
    rng = np.random.default_rng(seed)
    return 5.0 * (1 + np.concatenate([size * rng.standard_normal(count) for count, size in parts]))


def test_scatter_that_grew_for_good_is_told_with_its_place_and_both_sizes():
    found = spread_grown(scattered((60, 0.01), (40, 0.03)))
    assert found is not None
    assert found.start == pytest.approx(60, abs=6)
    assert (found.before, found.after) == (pytest.approx(0.01, rel=0.4), pytest.approx(0.03, rel=0.4))
    assert found.factor == found.after / found.before > 2


@pytest.mark.parametrize(
    "values",
    [
        scattered((100, 0.01)),
        scattered((60, 0.03), (40, 0.01)),  # it shrank
        scattered((60, 0.01), (NEW - 4, 0.05)),  # too young to last
        scattered((60, 0.01), (20, 0.04), (20, 0.01)),  # a burst that is over
        scattered((OLD - 2, 0.01), (NEW, 0.05)),
        scattered((60, 0.01), (40, 0.03)) * np.where(np.arange(100) < 60, 1.0, 1.2),  # a change of the level
        np.full(100, 5.0),
        [],
    ],
)
def test_what_is_no_lasting_growth_is_not_told(values):
    assert spread_grown(values) is None


@pytest.mark.parametrize("unit", [1e-6, -1.0])
def test_units_and_signs_do_not_matter_and_quantised_values_have_a_scatter(unit):
    values = scattered((60, 0.01), (40, 0.03))
    assert spread_grown(unit * values).start == spread_grown(values).start
    coarse = np.where(np.arange(100) % 5 == 0, 5.1, 5.0)
    coarse[60:] = 5.0 + 0.4 * np.random.default_rng(2).standard_normal(40)
    assert spread_grown(coarse).start == pytest.approx(60, abs=6)


def test_a_value_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        spread_grown([1.0, float("nan")])


def ever(kind: str, seeds: range, points: int = 200) -> int:
    """In how many series of this steady noise the remark is ever made, looking at every fourth build."""
    told = 0
    for seed in seeds:
        noise, _ = KINDS[kind](np.random.default_rng(100_000 + seed), points)
        values = 1 + 0.01 * noise
        told += any(spread_grown(values[:n]) for n in range(OLD + NEW, points + 1, 4))
    return told


@pytest.mark.parametrize("kind", ["normal", "heavy", "skewed", "spiky", "quantised", "season"])
def test_steady_noise_hardly_ever_gets_the_remark(kind):
    assert ever(kind, range(30)) <= 1
