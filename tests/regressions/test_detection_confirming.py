"""The confirmation policy: what it asks for, what it says, and how seldom it is wrong."""

from itertools import pairwise

import numpy as np
import pytest

from perfsite.regressions.detection import Ask, PairScreen, Spending
from perfsite.regressions.detection.pairs import Answer, Pair, Question, effect_bounds, pairs_weigh
from tests.regressions.detection_pairs import asked


def replayed(values, level, *, noise: float = 0.01, seed: int = 1, spending: Spending | None = None):
    """The screen, what it told and what it asked, when pairs of `level` answer."""
    rng, wishes, told = np.random.default_rng(seed), [], []
    screen = PairScreen(spending)

    def run(wish: Ask):
        wishes.append(wish)
        runs = 1 + noise * rng.standard_normal((2, wish.pairs))
        return (level[wish.a] * runs[0]).tolist(), (level[wish.b] * runs[1]).tolist()

    for value in values:
        screen.take(value)
        change = asked(screen, run)
        told += [change] if change else []
    return screen, told, wishes


def stepped(size: float, *, noise: float = 0.01, points: int = 60, at: int = 40, seed: int = 0, base=1.0):
    level = base * (1 + size * (np.arange(points) >= at))
    return level * (1 + noise * np.random.default_rng(seed).standard_normal(points)), level


@pytest.mark.parametrize("base", [1.0, 1e-6, -1.0, -1e6])
def test_a_true_step_is_told_once_at_its_build_after_few_pairs(base):
    values, level = stepped(0.1, base=base)
    screen, (told,), wishes = replayed(values, level)
    assert (told.index, told.detected_at <= 42) == (40, True)
    assert told.relative == pytest.approx(0.1 if base > 0 else -0.1, abs=0.02)
    assert screen.runs == 2 * sum(wish.pairs for wish in wishes)
    assert sum(wish.pairs for wish in wishes if wish.a < 40 <= wish.b) <= 14


def test_the_finding_has_a_kind_an_interval_and_what_it_took():
    values, level = stepped(0.05)
    screen, (told,), _ = replayed(values, level)
    finding = screen.finding
    assert (finding.kind, told.index in (39, 40, 41)) == ("changed", True)
    assert finding.evidence >= 1 / Spending.alpha
    assert finding.change == pytest.approx(0.05, abs=0.03)
    assert finding.low < 0.05 < finding.high
    assert (finding.level, finding.asked_at) == (1 - Spending.alpha, told.detected_at)
    screen, nothing, _ = replayed(values, np.ones(60))  # the same series, but pairs show no step
    assert (nothing, screen.finding.kind in ("same", "unknown")) == ([], True)


def test_pairs_that_refute_are_told_about_the_suspected_place():
    findings = []
    for seed in range(20):
        values, _ = stepped(0.03, seed=seed)
        screen, rng = PairScreen(), np.random.default_rng(seed)
        for value in values:
            screen.take(value)
            asked(screen, lambda wish, rng=rng: tuple(1 + 0.01 * rng.standard_normal((2, wish.pairs))))
            if screen.finding and screen.finding.asked_at == screen.count - 1 and screen.finding.spent:
                findings.append(screen.finding)
    refuted = [one for one in findings if one.kind == "same"]
    assert len(refuted) >= 10
    assert all(one.pairs and one.low < one.change < one.high for one in refuted)


def test_a_step_from_nothing_is_told():
    values, level = [0.0] * 30 + [3.0] * 6, np.r_[np.zeros(30), 3 * np.ones(6)]
    _, told, _ = replayed(values, level)
    assert [one.index for one in told] == [30]


def test_pairs_cost_little_where_nothing_changes():
    runs = [replayed(*stepped(0.0, points=200, seed=seed), seed=seed)[0].runs for seed in range(12)]
    assert np.mean(runs) / 200 < 0.25


def test_earlier_pairs_still_count_and_the_budget_of_a_suspicion_holds():
    values, level = stepped(0.015, points=80, seed=4)
    screen, _, wishes = replayed(values, level, spending=Spending(most=7, alpha=1e-9))
    assert screen.runs == 2 * sum(wish.pairs for wish in wishes)
    suspected = [sum(w.pairs for w in wishes if w.a < start <= w.b) for start in (40,)]
    assert suspected[0] <= 7 + Spending.locating


def test_no_pair_at_all_ends_the_question_and_broken_pairs_are_refused():
    values, _ = stepped(0.1)
    screen, asks = PairScreen(), []
    for value in values:
        screen.take(value)
        assert asked(screen, lambda wish: asks.append(wish) or ([], [])) is None
    assert (len(asks) > 3, screen.runs) == (True, 0)
    for broken, why in ((([1.0], []), "as many"), (([1.0], [float("nan")]), "finite")):
        screen.take(2.0)
        with pytest.raises(ValueError, match=why):
            asked(screen, lambda wish, broken=broken: broken)


def test_what_is_on_file_is_bounded():
    rng = np.random.default_rng(5)
    values = 1 + 0.02 * rng.standard_t(3, size=600)
    screen, _, _ = replayed(values, np.ones(600), noise=0.02)
    assert len(screen.pairs) <= 64


NOISES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy": lambda rng, n: rng.standard_t(3, size=n) / 3**0.5,
    "spiky": lambda rng, n: rng.standard_normal(n) + (rng.random(n) < 0.05) * rng.uniform(4, 15, size=n),
    "twice": lambda rng, n: 2 * rng.standard_normal(n),
}


@pytest.mark.parametrize("kind", NOISES)
def test_ten_thousand_comparisons_of_nothing_with_a_look_after_every_pair_stay_under_alpha(kind):
    """2,500 of each kind of pairs, ten looks each; leaving early is off, it can only lower the rate."""
    alpha, experiments, told = 0.05, 2_500, 0
    rng = np.random.default_rng(len(kind))
    question = Question(5, np.ones(1), 0.03, 0.009, 0.01)
    for _ in range(experiments):
        effects = 0.01 * (NOISES[kind](rng, 10) - NOISES[kind](rng, 10))
        pairs = [Pair(4, 5, effect) for effect in effects.tolist()]
        told += any(pairs_weigh(question, pairs[:n]).bound >= -np.log(alpha) for n in range(2, 11))
    assert told / experiments <= alpha


def test_the_bounds_of_the_effect_hold_the_true_one_at_every_look_and_shrink():
    rng, alpha, true = np.random.default_rng(9), 0.05, 0.02
    question, misses, widths = Question(5, np.ones(1), 0.03, 0.009, 0.01), 0, []
    for _ in range(400):
        effects = (true + 0.01 * 2**0.5 * rng.standard_normal(10)).tolist()
        looks = [effect_bounds(question, effects[:n], alpha) for n in (1, 2, 3, 5, 10)]
        misses += not all(low < true < high for low, high in looks)
        widths.append([high - low for low, high in looks])
    assert misses <= 400 * alpha
    means = np.mean(widths, axis=0)
    assert (np.diff(means) < 0).all()
    assert means[-1] < 0.06  # over six standard errors of ten pairs


def test_the_evidence_is_the_plain_sum_over_scales_steps_and_places():
    question = Question(7, np.array([0.2, 1.0, 0.5]), 0.03, 0.01, 0.01)
    pairs = [Pair(6, 7, 0.02), Pair(6, 9, 0.05), Pair(7, 8, -0.01), Pair(-1, -1, 0.3)]
    answer = pairs_weigh(question, pairs)
    evidence, shares = weighed_plainly(question, pairs)
    assert answer.evidence == pytest.approx(evidence)
    assert answer.shares == pytest.approx(shares)
    assert (answer.first, sum(answer.shares)) == (7, pytest.approx(1.0))


def weighed_plainly(question: Question, pairs: list[Pair]) -> tuple[float, list[float]]:
    scales = dict(zip((0.25, 0.5, 1, 2, 4, 8), (0.04, 0.13, 0.33, 0.27, 0.15, 0.08), strict=True))
    steps = {question.step + question.error * z: np.exp(-z * z / 2) for z in (-1.5, -0.75, 0, 0.75, 1.5)}

    def likelihood(start: int, step: float, scale: float) -> float:
        spread, product = scale * question.noise * 2**0.5, 1.0
        for pair in pairs:
            mean = step * (pair.a < start <= pair.b)
            product *= (1 + ((pair.effect - mean) / spread) ** 2 / 5) ** -3 / spread
        return product

    nothing = sum(weight * likelihood(0, 0.0, scale) for scale, weight in scales.items())
    moved = [
        weight
        / question.weights.sum()
        * sum(
            share * chance / sum(steps.values()) * likelihood(question.first + place, step, scale)
            for scale, share in scales.items()
            for step, chance in steps.items()
        )
        for place, weight in enumerate(question.weights)
    ]
    return float(np.log(sum(moved) / nothing)), [one / sum(moved) for one in moved]


def test_an_answer_knows_its_best_place_and_bounds():
    answer = Answer(10, 0.0, 0.0, np.array([0.04, 0.1, 0.7, 0.1, 0.04, 0.02]))
    assert (answer.best, answer.at(0.05), answer.at(0.95), answer.at(1.1)) == (12, 11, 14, 15)
    assert answer.within(1) == pytest.approx(0.9)
    assert all(a <= b for a, b in pairwise(answer.at(share) for share in np.linspace(0, 1, 9)))
