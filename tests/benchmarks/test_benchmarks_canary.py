"""The canary: quiet while the machine is the same, and told when it moved."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.canary import MOVED_SHARE, REPEATS, canary_remarks, canary_time, processor_samples
from benchmarks.report import CanaryReading

ROOT = Path(__file__).resolve().parents[2]


def reading(when: str, seconds: float, clock: str = "cpu") -> CanaryReading:
    return CanaryReading(when=when, clock=clock, seconds=seconds, n=15)


def test_a_processor_has_a_reading_of_processor_time():
    told = canary_time("cpu", "before")
    assert (told.when, told.clock, told.n) == ("before", "cpu", REPEATS["cpu"])
    assert 1e-5 < told.seconds < 0.01


def test_where_torch_has_no_gpu_the_processor_sings():
    assert canary_time("cuda", "after").clock in ("cpu", "gpu")


def test_it_is_the_same_work_each_time():
    """Ten samples in a row agree, in the quietest of a few moments: other work here comes and goes."""
    spreads = []
    while len(spreads) < 200 and min(spreads, default=1) >= 0.05:
        samples = np.asarray(processor_samples(10))
        spreads.append(samples.std(ddof=1) / samples.mean())
    assert min(spreads) < 0.05


def test_it_sees_a_processor_that_is_slower():
    """Twice the numbers stand for a core at half its speed."""
    from benchmarks import canary

    normal = min(np.median(processor_samples(30)) for _ in range(5))
    canary._NUMBERS *= 2
    try:
        slower = min(np.median(processor_samples(30)) for _ in range(5))
    finally:
        canary._NUMBERS //= 2
    (remark,) = canary_remarks((reading("before", normal), reading("after", slower)))
    assert remark.code == "canary-moved"


@pytest.mark.parametrize("clock", ["cpu", "gpu"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_move_is_told_from_its_threshold_on(clock, sign):
    share = MOVED_SHARE[clock]
    before = reading("before", 1e-3, clock)
    below, above = (reading("after", 1e-3 * (1 + sign * share * factor), clock) for factor in (0.9, 1.1))
    assert canary_remarks((before, below)) == []
    (remark,) = canary_remarks((before, above))
    assert clock.upper() in remark.sentence
    assert f"{sign * share * 1.1:+.0%}" in remark.sentence
    assert "run this again" in remark.sentence


def test_readings_of_two_clocks_are_not_compared():
    assert canary_remarks((reading("before", 1e-3, "cpu"), reading("after", 1.0, "gpu"))) == []
    assert canary_remarks(()) == []
