"""The confirmation policy: what it asks for, what it says, and how seldom it is wrong."""

import numpy as np
import pytest

from perfsite.regressions.detection import Budget, Confirmation, Told


def suspicion(relative: float = 0.05, score: float = 4.0, before: float = 1.0) -> Told:
    return Told(60, 62, 59, 60, before, before + relative * abs(before), relative, score)


def settled(
    effect: float, noise: float, *, seed: int, budget: Budget | None = None, **facts: float
) -> Confirmation:
    """A confirmation taken to its end with pairs of that true effect."""
    rng = np.random.default_rng(seed)
    confirmation = Confirmation(suspicion(**facts), better="lower", relevant=0.01, budget=budget)
    while wanted := confirmation.wanted:
        a, b = np.exp(noise * rng.standard_normal((2, wanted)))
        confirmation.take(a.tolist(), (b * np.exp(effect)).tolist())
    return confirmation


def test_a_true_step_is_confirmed_with_its_size_and_interval():
    confirmation = settled(0.05, 0.01, seed=1)
    assert (confirmation.verdict, confirmation.is_change, confirmation.wanted) == ("regressed", True, 0)
    result = confirmation.result
    assert result.relative_low < 0.05 < result.relative_high
    assert result.evidence >= 100
    assert len(confirmation.a) == len(confirmation.b) <= 12


def test_direction_is_the_metrics_and_a_contradiction_confirms_nothing():
    rate = Confirmation(suspicion(), better="higher", relevant=0.01)
    rate.take([1.0, 1.001, 0.999, 1.0] * 2, [1.05, 1.051, 1.05, 1.049] * 2)
    assert (rate.verdict, rate.is_change) == ("improved", True)
    opposite = Confirmation(suspicion(), better="lower", relevant=0.01)
    opposite.take([1.0, 1.001, 0.999, 1.0] * 2, [0.95, 0.951, 0.95, 0.949] * 2)
    assert (opposite.verdict, opposite.is_change) == ("unknown", False)


def test_a_tiny_spread_about_nothing_is_the_same():
    confirmation = settled(0.0, 0.0001, seed=1, budget=Budget(futile=1e9))
    assert confirmation.verdict == "same"


def test_it_asks_first_then_more_and_never_beyond_the_budget():
    budget = Budget(first=3, more=4, most=9, futile=1e300)
    confirmation = Confirmation(suspicion(), better="lower", relevant=0.01, budget=budget)
    asked, rng = [], np.random.default_rng(3)
    while wanted := confirmation.wanted:
        asked.append(wanted)
        noise = 1 + 0.2 * rng.standard_normal((2, wanted))
        confirmation.take(noise[0].tolist(), noise[1].tolist())
    assert (asked, confirmation.verdict) == ([3, 4, 2], "unknown")


def test_no_pair_at_all_ends_it_and_broken_pairs_are_refused():
    confirmation = Confirmation(suspicion(), better="lower", relevant=0.01)
    with pytest.raises(ValueError, match="as many values"):
        confirmation.take([1.0], [])
    with pytest.raises(ValueError, match="finite"):
        confirmation.take([1.0], [float("nan")])
    confirmation.take([], [])
    assert (confirmation.wanted, confirmation.verdict) == (0, "unknown")


@pytest.mark.parametrize("before", [-1.0, 0.0])
def test_values_without_a_ratio_are_compared_by_differences(before):
    told = Told(60, 62, 59, 60, before, before + 1, 1.0, 5.0)
    confirmation = Confirmation(told, better="lower", relevant=0.01)
    noise = np.random.default_rng(2).normal(size=(2, 12)) * 0.05
    confirmation.take((before + noise[0]).tolist(), (before + 1 + noise[1]).tolist())
    assert confirmation.is_change


def test_ten_thousand_comparisons_of_nothing_with_a_look_after_every_pair_stay_under_alpha():
    """Futility is off, so that every one looks up to nine times: leaving early can only lower the rate."""
    told, looks = [0, 0], 0
    budget = Budget(alpha=0.05, most=10, futile=1e300)
    for seed in range(10_000):
        confirmation = settled(0.0, 0.03, seed=seed, budget=budget)
        told[confirmation.is_change] += 1
        looks += len(confirmation.a) - 1
    assert looks > 80_000
    # one of two directions is suspected, so half of alpha is expected at most; 3.3 standard errors above
    assert told[1] / 10_000 <= 0.025 + 3.3 * (0.025 / 10_000) ** 0.5


def test_few_pairs_refute_a_suspicion_of_nothing():
    spent = [len(settled(0.0, 0.01, seed=seed).a) for seed in range(300)]
    assert np.mean(spent) < 6
