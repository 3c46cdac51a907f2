"""Offline throughput: one batch, the knee over several, the memory's end, the cost."""

import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotCapture, ModelError
from benchmarks.runners.base import Assets, Runner
from benchmarks.session import measure
from benchmarks.suites.base import Bench
from benchmarks.suites.capturing import is_out_of_memory
from benchmarks.suites.throughput import throughput_measure

CNN = ModelSource(kind="catalogue", ref="tiny-cnn")
ASSETS = Assets(CNN, Path(), "fp32", "cpu", threads=1)


class Spinning(Runner):
    """Works for `seconds[batch]` of real time; a batch that is not among them does not fit."""

    name = "torch"

    def __init__(self, seconds: dict[int, float]) -> None:
        super().__init__(ASSETS)
        self.seconds, self.batch, self.bound = seconds, min(seconds), []

    def load(self) -> None: ...

    def bind(self, batch: int) -> None:
        if batch not in self.seconds:
            raise MemoryError(f"no room for {batch}")
        self.batch = batch
        self.bound.append(batch)

    def feed(self, arrays: tuple[np.ndarray, ...]) -> None: ...

    def infer(self) -> None:
        end = time.perf_counter() + self.seconds[self.batch]
        while time.perf_counter() < end:
            pass

    def outputs(self) -> tuple[np.ndarray, ...]:
        return ()

    def close(self) -> None: ...


def found(runner: Spinning, price: float | None = None, duration_s: float = 0.4, **options):
    case = Case(model="m", runner="torch", suite="throughput", duration_s=duration_s, options=options)
    findings = throughput_measure(Bench(case, ASSETS, runner=runner, price_per_hour=price))
    table = {(one.case.shape, one.metric): one for one in findings.measurements}
    return table, {remark.code: remark for remark in findings.remarks}


def test_one_batch_is_measured_alone():
    table, _ = found(Spinning({1: 0.002}), duration_s=0.2)
    assert {shape for shape, _ in table} == {"b1"}
    assert table["b1", "throughput"].value == pytest.approx(500, rel=0.2)
    assert table["b1", "throughput"].n >= 20


def test_the_knee_is_found_in_turns():
    """Up to 8 rows cost the same; from there on each costs a quarter of a millisecond."""
    runner = Spinning({batch: 0.00025 * max(8, batch) for batch in (1, 2, 4, 8, 16, 32)})
    table, remarks = found(runner, largest_batch=32)
    assert runner.bound == [1, 2, 4, 8, 16, 32] * 5, "each pass goes through all batches"
    top = "b1,largest_batch=32"
    assert table[top, "best_batch"].value == 8
    assert table[top, "best_batch"].ci_low <= 8 <= table[top, "best_batch"].ci_high
    rates = {int(shape[1:]): one.value for (shape, metric), one in table.items() if metric == "throughput"}
    assert list(rates) == [1, 2, 4, 8, 16, 32]
    assert rates[1] == pytest.approx(500, rel=0.2)
    assert rates[8] == pytest.approx(4000, rel=0.2)
    assert table[top, "throughput_best"].value == max(rates.values())
    assert not remarks


def test_the_memorys_end_is_an_end_not_a_failure():
    table, remarks = found(Spinning({1: 0.002, 2: 0.002, 4: 0.002}), largest_batch=64)
    assert {shape for shape, metric in table if metric == "throughput"} == {"b1", "b2", "b4"}
    assert table["b1,largest_batch=64", "best_batch"].value == 4
    assert "batch 8" in remarks["out-of-memory"].sentence
    assert remarks["out-of-memory"].case.shape == "b1,largest_batch=64"


def test_the_case_s_own_batch_must_fit():
    with pytest.raises(MemoryError):
        found(Spinning({2: 0.001}), largest_batch=4)


def test_a_search_that_falls_ends_early_and_one_that_rises_says_so():
    falling = Spinning({1: 0.002, 2: 0.002, 4: 0.008, 8: 0.016, 16: 0.032})
    table, remarks = found(falling, largest_batch=16)
    assert 16 not in falling.bound
    assert table["b1,largest_batch=16", "best_batch"].value == 2
    assert "fell-early" in remarks
    _, remarks = found(Spinning({1: 0.002, 2: 0.002, 4: 0.002}), largest_batch=4)
    assert "raise largest_batch" in remarks["knee-beyond"].sentence


def test_the_cost_is_the_price_over_the_rate():
    table, _ = found(Spinning({1: 0.002}), price=3.6, duration_s=0.2)
    rate, cost = table["b1", "throughput"], table["b1", "cost_per_million_samples"]
    assert cost.value == pytest.approx(3.6 / 3600 * 1e6 / rate.value)
    assert (cost.ci_low, cost.ci_high) == pytest.approx((1000 / rate.ci_high, 1000 / rate.ci_low))
    table, _ = found(Spinning({1: 0.002}), duration_s=0.1)
    assert ("b1", "cost_per_million_samples") not in table


def test_what_libraries_say_when_memory_ends():
    wrapped = ModelError("m: forward raised something")
    wrapped.__cause__ = RuntimeError("CUDA out of memory. Tried to allocate 16.00 GiB.")
    assert is_out_of_memory(wrapped)
    arena = "BFCArena::AllocateRawInternal Available memory of 1 is smaller than requested bytes of 2"
    for words in (arena, "std::bad_alloc", "DefaultCPUAllocator: can't allocate memory: you tried"):
        assert is_out_of_memory(RuntimeError(words))
    assert is_out_of_memory(CannotCapture("no CUDA graph of it: OutOfMemoryError: CUDA out of memory"))
    assert not is_out_of_memory(ModelError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_real_model_over_its_batches(tmp_path):
    case = Case(
        model="m", runner="onnxruntime", suite="throughput", duration_s=0.2, options={"largest_batch": 4}
    )
    report = measure(
        CNN, model="m", precision="fp32", cases=[case], checkout=tmp_path, workdir=tmp_path / "work",
        on_progress=lambda *_: None, canary=False, price_per_hour=2.0,
    )  # fmt: skip
    assert [outcome.status for outcome in report.outcomes] == ["done"]
    shapes = [one.case.shape for one in report.measurements if one.metric == "throughput"]
    assert shapes == ["b1", "b2", "b4"]
    own = {one.metric for one in report.measurements if one.case == case}
    assert own == {"best_batch", "throughput_best", "cost_per_million_samples", "cpu_utilisation"}
