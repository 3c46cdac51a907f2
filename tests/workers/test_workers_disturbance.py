"""Pairs of which one side was disturbed: kept, not counted, run again within the budget."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from watched_repository import Repository

from benchmarks.cases import Case, ModelSource
from benchmarks.report import Environment, Measurement, Remark, Report
from benchmarks.sequential import Suspected
from workers.disturbance import CORES, DEVICE, disturbances
from workers.messages import Order, Pair
from workers.watches import Watches, pair_make

CASE = Case(model="net", runner="onnxruntime", suite="latency")
SECOND = CASE.model_copy(update={"batch": 8})
HOT = "the GPU was held back by heat"


def report(*remarks: Remark, value: float = 1.0) -> Report:
    return Report(
        created_at=datetime.now(UTC),
        generator="tests",
        model="net",
        source=ModelSource(kind="onnx", ref="m.onnx"),
        precision="fp32",
        environment=Environment(facts={}),
        remarks=remarks,
        measurements=tuple(
            Measurement(case=case, metric="latency_p50", value=value, unit="s") for case in (CASE, SECOND)
        ),
    )


def doubt(code: str, case: Case | None = CASE, *, unstable: bool = True) -> Remark:
    return Remark(code=code, sentence=HOT, unstable=unstable, case=case)


def order_make(repository: Repository, **changes: object) -> Order:
    step = Suspected(1.0, 1.2, 0.2, 5.0)
    fields = {
        "kind": "compare",
        "cases": (CASE, SECOND),
        "watch": ((0, "latency_p50"),),
        "suspected": (step,),
    }
    return repository.order(**(fields | changes))


def pair(number: int, ratio: float = 1.2, *, disturbed: bool = False) -> Pair:
    values = ((0, "latency_p50", 1.0, ratio), (0, "latency_p90", 2.0, 2 * ratio))
    return Pair(number=number, values=values, disturbed=((0, HOT),) if disturbed else ())


@pytest.mark.parametrize("code", sorted(DEVICE))
def test_a_device_that_was_held_back_or_shared_disturbs_on_either_side_and_on_both(code: str) -> None:
    for sides in ((doubt(code),), ()), ((), (doubt(code),)), ((doubt(code),), (doubt(code),)):
        good, suspect = (report(*remarks) for remarks in sides)
        ((index, reason),) = disturbances((CASE, SECOND), good, suspect)
        assert (index, HOT in reason) == (0, True)
        assert ("good" in reason) == bool(sides[0])


@pytest.mark.parametrize("code", sorted(CORES))
def test_other_work_on_the_cores_disturbs_only_where_the_sides_differ(code: str) -> None:
    busy, other = report(doubt(code)), report(doubt("cpu-busy"))
    assert [index for index, _ in disturbances((CASE, SECOND), report(), busy)] == [0]
    assert list(disturbances((CASE, SECOND), other, busy)) == []


@pytest.mark.parametrize("code", ["warm-up", "few-samples", "long-tail", "overloaded", "wrong-answers"])
def test_doubts_about_the_build_or_the_suite_disturb_nothing(code: str) -> None:
    assert list(disturbances((CASE, SECOND), report(), report(doubt(code)))) == []


def test_a_doubt_about_the_job_is_one_about_each_case_and_a_stable_one_about_none() -> None:
    found = disturbances((CASE, SECOND), report(doubt("throttled", None)), report())
    assert [index for index, _ in found] == [0, 1]
    stable = doubt("held-back", unstable=False)
    assert list(disturbances((CASE, SECOND), report(stable), report(stable))) == []


def test_a_pair_says_what_disturbed_it(repository: Repository) -> None:
    made = pair_make(3, order_make(repository), report(), report(doubt("throttled"), value=1.5))
    assert made.values[0] == (0, "latency_p50", 1.0, 1.5)
    assert [index for index, _ in made.disturbed] == [0]
    assert Pair.model_validate_json(made.model_dump_json()) == made
    assert Pair.model_validate({"number": 0, "values": ()}).disturbed == ()  # an older worker's


def test_disturbed_pairs_do_not_count_and_others_take_their_place(repository: Repository) -> None:
    clean, mixed = (Watches.of(order_make(repository)) for _ in range(2))
    ratios = [1.2, 1.21, 1.19, 1.2]
    for number, ratio in enumerate(ratios):
        clean.take(pair(number, ratio))
    for number, ratio in enumerate(ratios):
        mixed.take(pair(2 * number, 9.0, disturbed=True))
        mixed.take(pair(2 * number + 1, ratio))
    assert clean.cases == mixed.cases == ()
    for before, after in zip(clean.comparisons(""), mixed.comparisons(""), strict=True):
        assert (after.verdict, after.a, after.b) == (before.verdict, before.a, before.b)
    (remark,) = mixed.remarks()
    assert (remark.code, remark.case) == ("pairs-disturbed", CASE)
    assert remark.sentence == f"4 of 8 pairs were disturbed and do not count: {HOT}"
    assert list(clean.remarks()) == []


def test_the_builds_take_turns_among_the_pairs_that_count(repository: Repository) -> None:
    watches, turns = Watches.of(order_make(repository)), []
    for number, disturbed in enumerate((False, True, False, False)):
        turns.append(watches.good_first)
        watches.take(pair(number, disturbed=disturbed))
    assert turns == [True, False, False, True]


def test_a_budget_that_ends_among_disturbed_pairs_is_unknown_with_the_reason(repository: Repository) -> None:
    watches = Watches.of(order_make(repository, max_pairs=4))
    for number in range(4):
        watches.take(pair(number, disturbed=number > 1))
    assert watches.cases == (CASE,)  # it would ask for more, and the numbers are spent
    watched = next(watches.comparisons(""))
    assert (watched.verdict, len(watched.a)) == ("unknown", 2)
    assert f"2 of 4 pairs were disturbed and do not count: {HOT}" in watched.sentence
    assert {one.status for one in watches.outcomes()} == {"done"}


def test_a_case_of_which_no_pair_counts_is_skipped_with_the_reason(repository: Repository) -> None:
    watches = Watches.of(order_make(repository, max_pairs=2))
    for number in range(2):
        watches.take(pair(number, disturbed=True))
    assert list(watches.comparisons("")) == []
    skipped, other = watches.outcomes()
    assert (skipped.case, skipped.status, other.status) == (CASE, "skipped", "done")
    assert HOT in skipped.reason


def test_a_case_that_cannot_be_measured_is_no_disturbance(repository: Repository) -> None:
    watches = Watches.of(order_make(repository))
    with pytest.raises(ValueError, match="does not tell latency_p50"):
        watches.take(Pair(number=0, values=(), disturbed=((0, HOT),)))
