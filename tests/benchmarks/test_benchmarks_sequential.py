"""The rule that says when another pair is run: what it waits for, when it leaves, and what it then says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.compare import ANOTHER_PAIR
from benchmarks.metrics import METRICS
from benchmarks.sequential import Budget, SequentialTest, Suspected

LATENCY = METRICS["latency_p50"]
SLOWER = Suspected(1.0, 1.2, 0.2, 4.0)


def run(
    effect: float,
    noise: float,
    *,
    seed: int,
    budget: Budget | None = None,
    suspected: Suspected | None = SLOWER,
) -> SequentialTest:
    """A test taken to its end, a pair at a time, of pairs with that true effect."""
    rng = np.random.default_rng(seed)
    test = SequentialTest(LATENCY, suspected=suspected, budget=budget)
    while not test.is_over:
        a, b = np.exp(noise * rng.standard_normal(2))
        test.take([a], [b * np.exp(effect)])
    return test


def test_a_true_step_is_told_as_soon_as_the_evidence_allows():
    test = run(0.18, 0.01, seed=1)
    assert (test.verdict, test.is_change, len(test.a)) == ("regressed", True, 4)
    assert test.result is not None
    assert test.result.evidence >= 1 / test.budget.alpha
    with pytest.raises(ValueError, match="never measured"):
        SequentialTest(LATENCY).conclude()


def test_a_refuted_suspicion_is_left_early_and_says_why():
    test = run(0.0, 0.01, seed=2)
    assert (test.verdict, test.wanted) == ("unknown", 0)
    assert len(test.a) < 4
    told = test.conclude()
    assert "no change is likelier than the suspected one by far" in told.sentence
    assert ANOTHER_PAIR not in told.sentence


def test_nothing_is_decided_before_the_first_pairs():
    """Two pairs refute it, but each holds an engine of its own, and three are asked for."""
    assert len(run(0.0, 0.01, seed=2).a) == 2
    test = run(0.0, 0.01, seed=2, budget=Budget(first=3))
    assert len(test.a) == 3
    asked = SequentialTest(LATENCY, budget=Budget(first=3, most=2))
    assert asked.wanted == 2


def test_a_change_in_the_other_direction_than_suspected_is_not_told():
    test = run(-0.2, 0.001, seed=3, budget=Budget(futile=1e300, most=6))
    assert (test.verdict, test.is_change, len(test.a)) == ("unknown", False, 6)
    told = test.conclude()
    assert told.verdict == "unknown"
    assert "contradicts what was suspected" in told.sentence
    assert run(-0.2, 0.001, seed=3, suspected=None).verdict == "improved"


def test_without_a_suspicion_it_is_left_when_the_budget_would_not_decide_it():
    test = SequentialTest(LATENCY, budget=Budget(most=8))
    for a, b in ((1.0, 1.1), (1.2, 1.0), (0.9, 1.0)):
        test.take([a], [b])
    assert not test.is_over
    test.take([1.1], [1.1])
    assert (test.is_over, test.verdict) == (True, "unknown")
    assert "would not decide it" in test.conclude().sentence


def test_the_reason_of_whoever_stops_it_stands_in_the_sentence():
    test = SequentialTest(LATENCY, suspected=SLOWER)
    test.take([1.0, 1.1], [1.2, 1.05])
    assert not test.is_over
    assert test.conclude("the time was over").sentence.endswith("; the time was over")


def test_a_step_from_nothing_is_compared_by_differences():
    rate = METRICS["server_error_rate"]
    test = SequentialTest(rate, suspected=Suspected(0.0, 0.0, 0.0, 0.0), budget=Budget(most=4))
    test.take([0.0] * 4, [0.0] * 4)
    assert test.verdict == "same"


@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "student-t with 3 degrees of freedom"])
def test_looking_after_every_pair_of_a_build_with_itself_stays_under_alpha(heavy):
    """Nothing is left early here, which could only lower the rate; 3.3 standard errors above one half."""
    alpha, told = 0.05, 0
    rng = np.random.default_rng(20261122)
    budget = Budget(alpha=alpha, most=12, futile=1e300)
    for _ in range(2000):
        test = SequentialTest(replace(LATENCY, relevant=0.0), suspected=SLOWER, budget=budget)
        while not test.is_over:
            noise = rng.standard_t(3, 2) if heavy else rng.standard_normal(2)
            test.take([float(np.exp(0.03 * noise[0]))], [float(np.exp(0.03 * noise[1]))])
        told += test.is_change
    assert told / 2000 <= alpha / 2 + 3.3 * (alpha / 2 / 2000) ** 0.5
