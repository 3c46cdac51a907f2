"""The arithmetic of causes: parts that add up, and simulated changes whose cause is known."""

from __future__ import annotations

import random

import pytest

from benchmarks.compare import compare_pairs
from benchmarks.metrics import metric_get
from perfsite.regressions.attribution import Evidence, Pairs, Witness, attribute, facts_differ

METRIC = metric_get("gpu_compute_time_p50")
OLD = {"device": "cuda", "gpu_name": "H100", "gpu_driver": "570.86", "torch_version": "2.13.0"}
NEW = {**OLD, "gpu_driver": "580.159"}
TIMED = ("code", "clock", "machine", "toolchain")


def simulated(
    seed: int,
    *,
    code: float = 1.0,
    clock: float = 1.0,
    machine: float = 1.0,
    driver: float = 1.0,
    follows: float = 1.0,
    facts: dict | None = None,
    runner_luck: float = 0.0,
    after: int = 1,
    has_canary: bool = True,
    has_clock: bool = True,
) -> Evidence:
    """A GPU series whose code, cycle time, canary and driver slow by these factors, with 0.3 % of noise.

    `follows` is the share of the clock's change that the model follows: 0 when it waits for memory.
    """
    noise = random.Random(seed)

    def value(factor: float) -> float:
        return factor * (1 + noise.gauss(0, 0.003)) * (1 + noise.gauss(0, runner_luck))

    around = clock**follows * machine * driver
    a = [value(around) for _ in range(8)]
    b = [value(around * code) for _ in range(8)]
    told = compare_pairs(a, b, metric=METRIC, final=True)

    def witness(is_new: bool) -> Witness:
        slow, cycle = (clock * machine, clock) if is_new else (1.0, 1.0)
        clocks = [1.98e9 / cycle * (1 + noise.gauss(0, 0.002)) for _ in range(12)] if has_clock else []
        canary = [0.01 * slow * (1 + noise.gauss(0, 0.004)) for _ in range(2)] if has_canary else []
        return Witness(
            facts=(facts if facts is not None else OLD) if is_new else OLD,
            canary_s=canary,
            canary_clock="gpu" if canary else "",
            sm_clock_hz=clocks,
        )

    return Evidence(
        before=[value(1.0) for _ in range(12)],
        after=[value(around * code) for _ in range(after)],
        unit=METRIC.unit,
        relevant=METRIC.relevant,
        rebuilt=runner_luck > 0,
        pairs=Pairs(a, b, told.relative, told.relative_low, told.relative_high),
        base=witness(False),
        suspect=witness(True),
    )


def numbers(found) -> dict[str, float]:
    return {part.cause: part.relative for part in found.parts if part.relative is not None}


@pytest.mark.parametrize("seed", range(300))
def test_the_parts_add_up_to_the_change_whatever_happened(seed):
    chance = random.Random(seed)
    found = attribute(
        simulated(
            seed,
            code=chance.uniform(0.4, 2.5),
            clock=chance.uniform(0.7, 1.5),
            machine=chance.uniform(0.7, 1.5),
            driver=chance.choice((1.0, chance.uniform(0.7, 1.5))),
            follows=chance.choice((0.0, 0.5, 1.0)),
            facts=chance.choice((OLD, NEW)),
            runner_luck=chance.choice((0.0, 0.02)),
            after=chance.choice((1, 2, 5)),
            has_canary=chance.random() < 0.7,
            has_clock=chance.random() < 0.7,
        )
    )
    assert sum(numbers(found).values()) == pytest.approx(found.total, abs=1e-12)
    assert found.parts[-1].cause == "unexplained"
    assert found.low <= found.total <= found.high
    for part in found.parts:
        assert part.sentence
        if part.low is not None:
            assert part.low <= part.relative <= part.high


@pytest.mark.parametrize("seed", range(20))
def test_a_change_of_the_code_alone_is_the_codes(seed):
    found = attribute(simulated(seed, code=1.2))
    parts = numbers(found)
    assert parts["code"] == pytest.approx(0.2, abs=0.02)
    assert abs(parts["clock"]) + abs(parts["machine"]) < 0.01
    rest = found.part("unexplained")
    assert rest.low <= 0 <= rest.high
    assert not found.is_machine


@pytest.mark.parametrize("seed", range(20))
def test_a_clock_that_fell_is_the_clocks_and_counts_once(seed):
    found = attribute(simulated(seed, clock=1.15))
    parts = numbers(found)
    assert parts["clock"] == pytest.approx(0.15, abs=0.02)
    # the canary slowed by 15 % as well: its clock explains that
    assert abs(parts["machine"]) < 0.015
    assert abs(parts["code"]) < 0.01
    assert abs(parts["unexplained"]) < 0.015
    assert found.is_machine
    assert "innocent" in found.part("code").sentence


@pytest.mark.parametrize("seed", range(20))
def test_a_machine_that_is_slow_at_the_same_clock_is_the_machines(seed):
    found = attribute(simulated(seed, machine=1.12))
    parts = numbers(found)
    assert parts["machine"] == pytest.approx(0.12, abs=0.025)
    assert abs(parts["clock"]) < 0.01
    assert "took" in found.part("machine").sentence
    assert "longer" in found.part("machine").sentence


@pytest.mark.parametrize("seed", range(20))
def test_a_driver_that_nothing_else_explains_gets_the_rest(seed):
    found = attribute(simulated(seed, driver=1.12, facts=NEW))
    part = found.part("toolchain")
    assert part.relative == pytest.approx(0.12, abs=0.02)
    assert "driver 570.86 → 580.159" in part.sentence
    assert found.is_machine
    assert numbers(found)["unexplained"] == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_new_driver_beside_a_change_of_the_code_is_named_without_a_number(seed):
    found = attribute(simulated(seed, code=1.2, facts=NEW))
    part = found.part("toolchain")
    assert part.relative is None
    assert "driver 570.86 → 580.159" in part.sentence
    assert not found.is_machine


@pytest.mark.parametrize("seed", range(20))
def test_code_and_clock_together_are_told_apart(seed):
    found = attribute(simulated(seed, code=1.2, clock=1.1))
    parts = numbers(found)
    assert found.total == pytest.approx(0.32, abs=0.03)
    # 20 % and 10 % make 32 %: each has its share of the product
    assert parts["code"] == pytest.approx(0.21, abs=0.02)
    assert parts["clock"] == pytest.approx(0.11, abs=0.02)
    assert found.is_machine


@pytest.mark.parametrize("seed", range(20))
def test_a_clock_that_the_model_does_not_follow_explains_nothing(seed):
    found = attribute(simulated(seed, clock=1.15, follows=0.0))
    assert abs(numbers(found)["clock"]) < 0.012
    assert not found.is_machine


def test_a_change_of_code_against_the_clocks_leaves_no_part_too_large():
    found = attribute(simulated(3, code=1.15, clock=1 / 1.15))
    assert abs(found.total) < 0.02
    parts = numbers(found)
    assert parts["code"] == pytest.approx(0.14, abs=0.02)
    assert parts["clock"] == pytest.approx(-0.14, abs=0.02)


def test_what_nothing_explains_is_left_unexplained():
    found = attribute(simulated(1, driver=1.12))
    rest = found.part("unexplained")
    assert rest.relative == pytest.approx(0.12, abs=0.02)
    assert rest.low > 0
    assert "nothing that was read explains it" in rest.sentence
    assert not found.is_machine


def test_the_luck_of_engines_is_an_interval_around_nothing_and_widens_what_is_left():
    found = attribute(simulated(5, runner_luck=0.03))
    luck = found.part("build luck")
    assert luck.relative == 0
    assert luck.low == pytest.approx(-luck.high)
    assert 0.03 < luck.high < 0.2
    rest = found.part("unexplained")
    assert rest.high - rest.low >= luck.high - luck.low
    assert attribute(simulated(5)).part("build luck") is None


def test_throughput_falls_when_the_clock_does():
    evidence = simulated(2, clock=1.15)
    turned = Evidence(
        before=[1 / value for value in evidence.before],
        after=[1 / value for value in evidence.after],
        unit="1/s",
        relevant=0.03,
        pairs=Pairs([1.0] * 8, [1.0] * 8, 0.0, -0.004, 0.004),
        base=evidence.base,
        suspect=evidence.suspect,
    )
    found = attribute(turned)
    assert found.total == pytest.approx(-0.13, abs=0.02)
    assert numbers(found)["clock"] == pytest.approx(-0.13, abs=0.02)


def test_a_size_has_neither_clock_nor_machine_and_says_why():
    evidence = Evidence(
        before=[1000.0],
        after=[1100.0],
        unit="B",
        relevant=0.0,
        exact=True,
        base=Witness(OLD),
        suspect=Witness(OLD),
    )
    found = attribute(evidence)
    assert numbers(found) == {"code": pytest.approx(0.1), "unexplained": pytest.approx(0.0)}
    assert found.left_out["clock"] == "this metric follows neither clock nor machine"


def test_a_size_that_another_exporter_may_have_changed_is_not_the_codes():
    newer = Witness({**OLD, "torch_version": "2.14.0"})
    evidence = Evidence([1000.0], [1100.0], "B", 0.0, exact=True, base=Witness(OLD), suspect=newer)
    found = attribute(evidence)
    assert found.part("code") is None
    assert "toolchain changed" in found.left_out["code"]
    assert numbers(found) == {"unexplained": pytest.approx(0.1)}


def test_reports_without_canary_and_clock_leave_the_parts_out_with_the_reason():
    found = attribute(simulated(4, code=1.2, has_canary=False, has_clock=False))
    assert {part.cause for part in found.parts} == {"code", "unexplained"}
    assert "no canary" in found.left_out["machine"]
    assert "SM clock" in found.left_out["clock"]
    gone = simulated(4, code=1.2)
    lost = attribute(Evidence(gone.before, gone.after, "s", 0.01, pairs=gone.pairs))
    assert "not there any more" in lost.left_out["machine"]


def test_a_processors_canary_says_nothing_about_a_gpu():
    evidence = simulated(6, code=1.2)
    told = [
        Witness(OLD, (0.01, 0.01 * k), "cpu", one.sm_clock_hz)
        for k, one in ((1, evidence.base), (1, evidence.suspect))
    ]
    found = attribute(
        Evidence(
            evidence.before, evidence.after, "s", 0.01, pairs=evidence.pairs, base=told[0], suspect=told[1]
        )
    )
    assert found.part("machine") is None
    assert "does not know the GPU" in found.left_out["machine"]


def test_the_same_bits_are_told_first():
    evidence = simulated(7, machine=1.12)
    same = [
        Witness(w.facts, w.canary_s, "gpu", w.sm_clock_hz, "a" * 64, "b" * 64)
        for w in (evidence.base, evidence.suspect)
    ]
    found = attribute(
        Evidence(
            evidence.before, evidence.after, "s", 0.005, pairs=evidence.pairs, base=same[0], suspect=same[1]
        )
    )
    assert found.part("code").sentence.startswith(
        "Both builds have the same engine, bit for bit. The code is innocent"
    )


def test_values_without_a_logarithm_are_not_split():
    assert attribute(Evidence([0.0, 0.0], [0.03], "1", 0.1)) is None
    with pytest.raises(ValueError, match="one side is empty"):
        attribute(Evidence([], [1.0], "s", 0.03))


def test_a_fact_that_one_report_lacks_is_no_difference():
    assert facts_differ({"gpu_driver": None}, {"gpu_driver": "580"}) == []
    assert [one.words for one in facts_differ(OLD, NEW)] == ["driver 570.86 → 580.159"]
    assert facts_differ({"os": "a"}, {"os": "b"}) == []
