"""Equal builds are told apart no more often than promised, whatever the noise, looking after every pair."""

import numpy as np
import pytest

from benchmarks.sequential import Budget, SequentialTest, Suspected
from perfsite.regressions.detection.pairs import Pair, Question, pairs_weigh
from perfsite.regressions.replay.service import metric_plain
from tests.regressions.equal_builds import (
    NOISE,
    NOISES,
    PAIRS,
    RULES,
    experiments_make,
    policy_bounds,
    service_told,
    upper,
)
from tests.regressions.equal_series import POINTS, series_count
from tests.regressions.equal_series import RULES as SCREENS

EXPERIMENTS = 10_000


@pytest.mark.parametrize("kind", NOISES)
def test_ten_thousand_comparisons_of_equal_builds_stay_under_alpha(kind):
    made = experiments_make(kind, EXPERIMENTS, seed=1)
    for name, (alpha, told) in RULES.items():
        false = int(told(made).sum())
        assert upper(false, EXPERIMENTS) <= alpha, f"{name}: {false} of {EXPERIMENTS}"


def test_the_bound_of_a_rate_is_exact():
    assert upper(0, 1000) == pytest.approx(1 - 0.01 ** (1 / 1000))
    assert upper(1000, 1000) == 1.0


@pytest.mark.parametrize("rule", SCREENS)
def test_the_whole_rules_ask_and_tell_nothing_of_series_that_never_change(rule):
    counts = [series_count((rule, "bursts of three runs", seed)) for seed in range(6)]
    assert sum(one.questions for one in counts) > 10
    assert sum(one.runs for one in counts) < 0.4 * 6 * POINTS
    assert [one.told for one in counts] == [0] * 6


@pytest.mark.parametrize("kind", ["normal", "two modes, hardly noise", "quantised (a grain of two noises)"])
def test_what_is_simulated_at_once_is_what_a_worker_decides(kind):
    alpha = 0.2  # so that some are told
    made, metric = experiments_make(kind, 150, seed=3), metric_plain(better="lower", relevant=0.0, grain=0.0)
    budget = Budget(alpha=alpha)
    literal = []
    for effects, step, score in zip(made.effects, made.step.tolist(), made.score.tolist(), strict=True):
        suspected = Suspected(1.0, float(np.exp(step)), float(np.expm1(step)), score)
        test, at = SequentialTest(metric, suspected=suspected, budget=budget), 0
        while count := test.wanted:
            test.take([1.0] * count, np.exp(effects[at : at + count]).tolist())
            at += count
        literal.append(test.is_change)
    assert service_told(made, budget).tolist() == literal
    assert 0 < sum(literal) < 75


def test_the_policys_bound_at_once_is_that_of_its_pairs():
    made = experiments_make("heavy tails (t, 3 degrees)", 20, seed=4)
    bounds = np.array(list(policy_bounds(made)))
    for which, (effects, step) in enumerate(zip(made.effects.tolist(), made.step.tolist(), strict=True)):
        question = Question(5, np.ones(1), step, 0.3 * NOISE, NOISE)
        for n in (1, 2, 7, PAIRS):
            answer = pairs_weigh(question, [Pair(4, 5, effect) for effect in effects[:n]])
            assert bounds[n - 1, which] == pytest.approx(answer.bound)
            assert answer.bound <= answer.evidence
