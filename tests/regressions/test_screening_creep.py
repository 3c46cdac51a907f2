"""A creep as the service meets it: its screen, with comparisons simulated pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from tests.regressions.detection_loom import Series
from tests.regressions.service_score import service_told

BUILDS, BEGIN, STEPS = 150, 60, 30
SEEDS = range(20)
NOISE = 0.01


def crept(seed: int, total: float) -> Series:
    """A level that moves by `total` over thirty builds, with 1 % of normal noise."""
    level = np.zeros(BUILDS)
    level[BEGIN : BEGIN + STEPS] = np.linspace(0.0, np.log1p(total), STEPS + 1)[1:]
    level[BEGIN + STEPS :] = np.log1p(total)
    noise = NOISE * np.random.default_rng([seed, 9]).normal(size=BUILDS)
    values = np.exp(level + noise)
    return Series("creep", "normal", values, np.exp(level), ((BEGIN, BEGIN + STEPS),), NOISE)


@pytest.mark.parametrize("total", [0.06, 0.12])
def test_a_creep_is_told_although_neighbours_are_alike(total):
    told = [service_told(crept(seed, total), seed)[0] for seed in SEEDS]
    caught = [places for places in told if any(place >= BEGIN - 2 for place, _ in places)]
    assert len(caught) >= 18
    assert not [place for places in told for place, _ in places if place < BEGIN - 2]


def test_without_one_nothing_is_told():
    told = [service_told(crept(seed, 0.0), seed)[0] for seed in SEEDS]
    assert sum(map(len, told)) <= 1
