"""The pure search: what it asks, how it ends, and how rarely it names an innocent."""

import numpy as np
import pytest

from benchmarks.metrics import metric_get
from benchmarks.sequential import Budget, SequentialTest, Suspected
from perfsite.regressions.bisection.search import (
    RATE,
    Answer,
    Ask,
    Found,
    Range,
    Search,
    answer_of,
    answers_most,
    pairs_enough,
)

METRIC = metric_get("latency_p50")
BAD = Answer("regressed", 0.2, 0.18, 0.22)
GOOD = Answer("same", 0.0, -0.02, 0.02)
UNKNOWN = Answer("unknown", 0.1, -0.1, 0.3)
FAILED = Answer("failed")


def search(between: int, **answers: Answer) -> Ask | Found | Range:
    """A search among commits 1 to `between`, of which 0 is good and the next bad, changed by 20 %."""
    known = {int(name[1:]): answer for name, answer in answers.items()}
    return Search(tuple(range(between + 2)), known, 0.2, answers_most(between)).next()


def follow(between: int, guilty: int) -> tuple[Ask | Found | Range, int]:
    """Answer truly until the end; returns it with the number of answers."""
    known: dict[int, Answer] = {}
    while True:
        told = Search(tuple(range(between + 2)), known, 0.2, answers_most(between)).next()
        if not isinstance(told, Ask):
            return told, len(known)
        known[told.commit] = BAD if told.commit >= guilty else GOOD


@pytest.mark.parametrize("between", [0, 1, 2, 3, 7, 12, 100])
def test_true_answers_lead_to_the_culprit_in_few_steps(between):
    for guilty in range(1, between + 2):
        end, answers = follow(between, guilty)
        assert end == Found(guilty, guilty - 1)
        assert answers <= between.bit_length()


def test_the_middle_is_asked_first_and_of_two_middles_the_older():
    assert search(3) == Ask(2, (1, 3))
    assert search(4).commit == 2


def test_an_unknown_answer_asks_the_older_neighbour_once_and_then_stops():
    assert search(3, c2=UNKNOWN).commit == 1
    assert search(3, c2=UNKNOWN, c1=UNKNOWN) == Range(0, 4, "unknown", (1, 2))


def test_an_unknown_commit_beside_the_culprit_keeps_it_from_being_named():
    assert search(3, c2=UNKNOWN, c1=GOOD).commit == 3
    assert search(3, c2=UNKNOWN, c1=GOOD, c3=BAD) == Range(1, 3, "unknown", (2,))


def test_an_unknown_commit_elsewhere_does_not():
    assert search(7, c4=UNKNOWN, c3=BAD).commit == 1
    assert search(7, c4=UNKNOWN, c3=BAD, c1=GOOD, c2=GOOD) == Found(3, 2)


def test_failed_commits_are_passed_over_and_stay_in_the_range():
    assert search(5, c3=FAILED).commit == 2
    assert search(5, c3=FAILED, c2=FAILED).commit == 4
    assert search(3, c1=FAILED, c2=FAILED, c3=FAILED) == Range(0, 4, "failed", (1, 2, 3))
    assert search(3, c2=FAILED, c1=GOOD, c3=BAD) == Range(1, 3, "failed", (2,))


def test_a_partial_change_ends_the_search():
    assert search(3, c2=Answer("partial", 0.1, 0.09, 0.11)) == Range(0, 4, "partial", (2,))


def test_too_small_a_step_between_parent_and_culprit_names_nobody():
    half = Answer("same", 0.09, 0.05, 0.13)
    low = Answer("regressed", 0.15, 0.1, 0.2)
    assert search(2, c1=half, c2=low) == Range(0, 2, "shared", (1, 2))


def hinted(between: int, hint: int, **answers: Answer) -> Ask | Found | Range:
    """As `search`, where another one found `hint`."""
    known = {int(name[1:]): answer for name, answer in answers.items()}
    first = tuple(commit for commit in (hint - 1, hint) if 0 < commit <= between)
    return Search(tuple(range(between + 2)), known, 0.2, answers_most(between, len(first)), first).next()


def test_what_another_search_found_is_asked_about_first_and_proves_nothing():
    assert hinted(15, 3).commit == 2
    assert hinted(15, 3, c2=GOOD).commit == 3
    assert hinted(15, 3, c2=GOOD, c3=BAD) == Found(3, 2)
    assert hinted(15, 3, c2=GOOD, c3=GOOD).commit == 9  # not that one: the middle of the rest
    assert hinted(15, 3, c2=BAD).commit == 1
    assert hinted(15, 16).commit == 15  # the accused itself was found: its parent is left to ask


def test_the_budget_of_answers_ends_it():
    told = Search(tuple(range(12)), {5: UNKNOWN, 3: GOOD, 8: BAD}, 0.2, 3).next()
    assert (told.reason, told.good, told.bad) == ("spent", 3, 8)


def test_a_change_that_left_and_came_again_is_its_last_coming():
    assert search(3, c1=BAD, c2=GOOD, c3=GOOD) == Found(4, 3)


# from pairs to answers


def pairs(ratio: float, *, spread: float = 0.005, n: int = 8, seed: int = 1):
    rng = np.random.default_rng(seed)
    return list(np.exp(spread * rng.standard_normal(n))), list(
        ratio * np.exp(spread * rng.standard_normal(n))
    )


@pytest.mark.parametrize(
    ("ratio", "spread", "kind"),
    [
        (1.2, 0.005, "regressed"),
        (1.0, 0.005, "same"),
        (0.9, 0.005, "same"),  # better than the good build: the change is not in it
        (1.1, 0.005, "partial"),
        (1.0, 0.15, "unknown"),
        (1.2, 0.5, "unknown"),
    ],
)
def test_what_pairs_tell_of_a_change_of_20_percent(ratio, spread, kind):
    a, b = pairs(ratio, spread=spread)
    assert answer_of(a, b, metric=METRIC, whole=0.2, alpha=0.01).kind == kind


def test_a_metric_that_is_better_when_more_is_read_the_other_way_round():
    rate = metric_get("throughput")
    told = {
        ratio: answer_of(*pairs(ratio), metric=rate, whole=-0.2, alpha=0.01).kind
        for ratio in (0.8, 0.9, 1.0, 1.1)
    }
    assert told == {0.8: "regressed", 0.9: "partial", 1.0: "same", 1.1: "same"}


def test_one_value_settles_a_counted_metric():
    count = metric_get("parameter_count")
    kinds = [
        answer_of([1000.0], [value], metric=count, whole=0.5, alpha=0.01).kind
        for value in (1500.0, 1000.0, 1200.0)
    ]
    assert kinds == ["regressed", "same", "partial"]


def test_quiet_pairs_ask_for_few_and_noisy_ones_for_all():
    quiet, noisy = pairs(1.2, spread=0.005), pairs(1.2, spread=0.2)
    assert pairs_enough(*quiet, whole=0.2, alpha=0.01, most=20) < 8
    assert pairs_enough(*noisy, whole=0.2, alpha=0.01, most=20) == 20
    assert pairs_enough([], [], whole=0.2, alpha=0.01, most=20) == 20


# how often an innocent is named, on seeds of its own

SEARCHES = 120


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_normal(n)


def heavy(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_t(3, n) / np.sqrt(3)


def lease(rng, shape, *, spread, ratio, whole, score, most, alpha=0.01) -> SequentialTest:
    """One comparison as a worker runs it: pairs until a side stands."""
    told = Suspected(1.0, 1.0 + whole, whole, score)
    test = SequentialTest(METRIC, suspected=told, budget=Budget(most=most, alpha=alpha))
    while count := test.wanted:
        a = np.exp(spread * shape(rng, count) / np.sqrt(2))
        b = ratio * np.exp(spread * shape(rng, count) / np.sqrt(2))
        test.take(list(a), list(b))
    return test


def searched(seed: int, shape, *, change: float, spread: float) -> str:
    """One whole search: confirmed, or not, then `found`, `innocent` or `range`."""
    rng = np.random.default_rng([20261122, seed])
    between = int(rng.choice([1, 2, 3, 5, 9, 15]))
    guilty = int(rng.integers(1, between + 2))
    first = lease(rng, shape, spread=spread, ratio=1 + change, whole=change, score=5.0, most=20)
    if first.verdict != "regressed":
        return "unconfirmed"
    whole, most = first.result.relative, answers_most(between)
    alpha = RATE / most
    pairs_most = pairs_enough(first.a, first.b, whole=whole, alpha=alpha, most=20)
    known: dict[int, Answer] = {}
    while True:
        told = Search(tuple(range(between + 2)), known, whole, most).next()
        if isinstance(told, Found):
            return "found" if told.commit == guilty else "innocent"
        if isinstance(told, Range):
            return "range"
        ratio = 1 + change if told.commit >= guilty else 1.0
        test = lease(
            rng, shape, spread=spread, ratio=ratio, whole=whole, score=0.0, most=pairs_most, alpha=alpha
        )
        known[told.commit] = answer_of(test.a, test.b, metric=METRIC, whole=whole, alpha=alpha)


@pytest.mark.parametrize("shape", [normal, heavy])
@pytest.mark.parametrize(
    ("change", "spread", "least"), [(0.2, 0.01, 0.9), (0.2, 0.06, 0.6), (0.05, 0.03, 0.3)]
)
def test_an_innocent_is_named_at_most_at_the_promised_rate(shape, change, spread, least):
    ends = [searched(seed, shape, change=change, spread=spread) for seed in range(SEARCHES)]
    assert ends.count("innocent") / SEARCHES <= RATE
    assert ends.count("found") / SEARCHES >= least  # a search that names nobody would be safe, too


@pytest.mark.parametrize("with_hints", [False, True])
def test_answers_that_are_wrong_as_often_as_they_may_be_keep_the_rate(with_hints):
    """The worst that the answers' own bound admits: each is the opposite with probability RATE / most."""
    rng = np.random.default_rng(7)
    innocent, searches = 0, 4000
    for _ in range(searches):
        between = int(rng.integers(1, 20))
        guilty = int(rng.integers(1, between + 2))
        hint = int(rng.integers(1, between + 2)) if with_hints else 0  # mostly of an innocent
        first = tuple(commit for commit in (hint - 1, hint) if 0 < commit <= between)
        most = answers_most(between, len(first))
        known: dict[int, Answer] = {}
        told = Search(tuple(range(between + 2)), known, 0.2, most, first).next()
        while isinstance(told, Ask):
            lies = rng.random() < RATE / most
            known[told.commit] = BAD if (told.commit >= guilty) != lies else GOOD
            told = Search(tuple(range(between + 2)), known, 0.2, most, first).next()
        innocent += isinstance(told, Found) and told.commit != guilty
    assert 0 < innocent / searches <= RATE
