"""Memory by kind: what a child holds, as its parent sees it, and what is said where a counter is missing."""

import time
from dataclasses import dataclass, field

import numpy as np
import pytest

from benchmarks import memory as host
from benchmarks.cases import Case, ModelSource
from benchmarks.device_memory import DeviceWatch
from benchmarks.errors import CannotRun
from benchmarks.gauge import Gauge
from benchmarks.isolation import isolated
from benchmarks.runners.base import Assets
from benchmarks.suites import memory as suite
from benchmarks.suites.base import Bench
from benchmarks.suites.memory import Taken, memory_measure, memory_take

MEBIBYTE = 2**20
CNN = ModelSource(kind="catalogue", ref="tiny-cnn")
CASE = Case(model="m", runner="torch", suite="memory", duration_s=0.5)
CHILD, OUTSIDE = 4711, 90_000


@dataclass
class FakeGauge(Gauge):
    """A GPU whose processes hold what a test says, in MiB."""

    held: dict[int, int | None] = field(default_factory=dict)
    whole: int | None = None
    accounted: int | None = None
    strangers: set[int] = field(default_factory=set)

    def processes(self) -> dict[int, int | None]:
        return {pid: None if size is None else size * MEBIBYTE for pid, size in self.held.items()}

    def device_bytes(self) -> int | None:
        return None if self.whole is None else self.whole * MEBIBYTE

    def process_peak_bytes(self, pid: int) -> int | None:
        return None if self.accounted is None else self.accounted * MEBIBYTE

    def foreign(self) -> set[int]:
        return self.strangers


def watched(gauge: FakeGauge, number: int, sizes: list[int | None], whole: list[int | None]):
    """Two samples of the bare context, then the rest while the child works; the watch and the two windows."""
    watch = DeviceWatch.begin(gauge)
    moments = [time.monotonic()]
    for place, (size, all_of_it) in enumerate(zip(sizes, whole, strict=True)):
        if place == 2:
            moments.append(time.monotonic())
        gauge.held, gauge.whole = {**gauge.held, number: size}, all_of_it
        watch.sample(CHILD)
    moments.append(time.monotonic())
    return watch, (moments[0], moments[1]), (moments[1], moments[2])


def test_the_peak_is_above_the_bare_context():
    watch, base, work = watched(FakeGauge(), CHILD, [500, 500, 700, 900, 650], [600] * 5)
    peak = watch.peak(base, work)
    assert (peak.above, peak.base, peak.whole_gpu) == (400 * MEBIBYTE, 500 * MEBIBYTE, False)
    assert 0 <= peak.gap_s < 0.05


def test_the_drivers_accounting_sees_a_peak_between_two_samples():
    watch, base, work = watched(FakeGauge(accounted=1100), CHILD, [500, 500, 700], [600] * 3)
    assert watch.peak(base, work).above == 600 * MEBIBYTE


def test_in_a_container_the_child_is_the_process_that_came():
    gauge = FakeGauge(held={OUTSIDE - 1: 300})  # our own parent by its number outside
    watch, base, work = watched(gauge, OUTSIDE, [500, 500, 800], [900] * 3)
    peak = watch.peak(base, work)
    assert (peak.above, peak.whole_gpu) == (300 * MEBIBYTE, False)


@pytest.mark.parametrize("number", [CHILD, OUTSIDE])
def test_where_processes_tell_nothing_the_whole_gpu_stands_in(number):
    watch, base, work = watched(FakeGauge(), number, [None] * 4, [610, 610, 900, 1000])
    peak = watch.peak(base, work)
    assert (peak.above, peak.base, peak.whole_gpu) == (390 * MEBIBYTE, 610 * MEBIBYTE, True)


def test_the_whole_gpu_does_not_stand_in_beside_others():
    gauge = FakeGauge(strangers={99})
    watch, base, work = watched(gauge, CHILD, [None] * 3, [610, 610, 900])
    with pytest.raises(CannotRun, match=r"\[99\].*keep them off"):
        watch.peak(base, work)


def test_a_gpu_that_tells_nothing_has_no_peak_and_never_zero():
    watch, base, work = watched(FakeGauge(), CHILD, [None] * 3, [None] * 3)
    with pytest.raises(CannotRun, match="NVML tells no memory of the measuring process"):
        watch.peak(base, work)


def test_a_long_time_between_two_samples_is_known():
    watch, base, (first, last) = watched(FakeGauge(), CHILD, [500, 500, 700], [600] * 3)
    assert watch.peak(base, (first, last + 0.2)).gap_s == pytest.approx(0.2, abs=0.05)


def gpu_bench(gauge: Gauge) -> Bench:
    assets = Assets(CNN, checkout=None, precision="fp32", device="cuda", threads=1)
    return Bench(CASE, assets, gauge=gauge)


def measured_on_a_gpu(monkeypatch, gauge, sizes, kinds, host_peak=64 * MEBIBYTE):
    """The suite's findings over a child that answers without a GPU; the parent's part is the real one."""

    def child(call, *arguments, nursery, meanwhile):
        assert call is memory_take
        begun = time.monotonic()
        for place, size in enumerate(sizes):
            if place == 2:
                loaded = time.monotonic()
            gauge.held[CHILD] = size
            meanwhile(CHILD)
        rates = np.asarray([1000.0, 1010.0, 1020.0])
        return Taken(host_peak, kinds, (begun, loaded), (loaded, time.monotonic()), rates)

    monkeypatch.setattr(suite, "isolated", child)
    findings = memory_measure(gpu_bench(gauge))
    return {one.metric: one for one in findings.measurements}, {one.code: one for one in findings.remarks}


def test_each_kind_has_its_own_name_and_number(monkeypatch):
    kinds = {
        "allocated": 1,
        "reserved": 2,
        "allocated_peak": 120 * MEBIBYTE,
        "reserved_peak": 160 * MEBIBYTE,
        "engine_context": 7 * MEBIBYTE,
    }
    found, remarks = measured_on_a_gpu(monkeypatch, FakeGauge(), [500, 500, 600, 700], kinds)
    values = {name: one.value for name, one in found.items()}
    assert values == {
        "host_peak_memory": 64 * MEBIBYTE,
        "gpu_peak_memory": 200 * MEBIBYTE,
        "gpu_context_memory": 500 * MEBIBYTE,
        "gpu_allocated_peak": 120 * MEBIBYTE,
        "gpu_reserved_peak": 160 * MEBIBYTE,
        "engine_context_memory": 7 * MEBIBYTE,
        "gpu_fragmentation": 0.25,
        "samples_per_mebibyte": pytest.approx(1010 / 200),
    }
    assert remarks == {}


def test_a_gpus_numbers_stay_where_the_host_tells_none(monkeypatch):
    untold = CannotRun("the peak cannot be reset here")
    found, remarks = measured_on_a_gpu(monkeypatch, FakeGauge(), [500, 500, 600], {}, host_peak=untold)
    assert set(found) == {"gpu_peak_memory", "gpu_context_memory", "samples_per_mebibyte"}
    assert set(remarks) == {"host-memory-untold"}


def test_an_untold_peak_is_left_out_with_a_remark_and_the_others_stay(monkeypatch):
    found, remarks = measured_on_a_gpu(monkeypatch, FakeGauge(), [None] * 4, {"engine_context": MEBIBYTE})
    assert set(found) == {"host_peak_memory", "engine_context_memory"}
    assert "NVML tells no memory" in remarks["gpu-memory-untold"].sentence


def test_what_stands_in_is_said(monkeypatch):
    gauge = FakeGauge()

    def growing() -> int:
        gauge.whole = (gauge.whole or 500) + 100
        return gauge.whole * MEBIBYTE

    monkeypatch.setattr(gauge, "device_bytes", growing, raising=False)
    found, remarks = measured_on_a_gpu(monkeypatch, gauge, [None] * 4, {})
    assert found["gpu_peak_memory"].value == 250 * MEBIBYTE, "900 above the median of 600 and 700"
    assert set(remarks) == {"gpu-memory-whole"}


def test_numbers_that_stand_still_are_no_peak_of_zero(monkeypatch):
    found, remarks = measured_on_a_gpu(monkeypatch, FakeGauge(whole=900), [None] * 4, {})
    assert set(found) == {"host_peak_memory"}
    assert "stood still" in remarks["gpu-memory-untold"].sentence


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    from benchmarks.models.source import model_load, model_try

    folder = tmp_path_factory.mktemp("cnn")
    example = model_try(model_load(CNN, folder, "fp32"), "tiny-cnn")
    return Assets(CNN, folder, "fp32", "cpu", threads=1, example=example)


def test_on_a_processor_the_rate_is_per_mebibyte_of_host_memory(cnn):
    findings = memory_measure(Bench(CASE, cnn))
    found = {one.metric: one for one in findings.measurements}
    assert set(found) == {"host_peak_memory", "samples_per_mebibyte"}
    rate = found["samples_per_mebibyte"]
    assert rate.n >= 5
    assert 0 < rate.ci_low <= rate.value <= rate.ci_high
    assert found["host_peak_memory"].value > 0


def test_the_timed_run_comes_after_the_peak(cnn):
    peaks = {timed_s: isolated(memory_take, "torch", cnn, 1, timed_s).host_peak for timed_s in (0.0, 0.5)}
    assert peaks[0.5] == pytest.approx(peaks[0.0], abs=MEBIBYTE / 2)


SLEEPY = """
import time
import torch

class Sleepy(torch.nn.Module):
    def forward(self, rows):
        time.sleep(0.02)
        return rows * 2

def build():
    return Sleepy(), torch.ones(1, 8)
"""


def test_the_rate_counts_samples_not_calls(tmp_path):
    (tmp_path / "model.py").write_text(SLEEPY)
    source = ModelSource(kind="entry", ref="model.py:build")
    example = (np.ones((1, 8), dtype=np.float32),)
    assets = Assets(source, tmp_path, "fp32", "cpu", threads=1, example=example)
    rates = isolated(memory_take, "torch", assets, 8, 0.2).rates
    assert rates.size >= 5
    assert 8 / 0.2 < np.median(rates) <= 8 / 0.02


def test_a_kernel_that_tells_no_peak_skips_a_processors_case(monkeypatch, tmp_path, cnn):
    for name in ("_CLEAR", "_STATUS", "_MAPS"):
        with monkeypatch.context() as patched:
            patched.setattr(host, name, tmp_path / "missing" / name)
            with pytest.raises(CannotRun):
                host.HostWatch.begin()
    monkeypatch.setattr(suite, "isolated", lambda *_, **__: Taken(CannotRun("not told"), {}, (), (), ()))
    with pytest.raises(CannotRun, match="not told"):
        memory_measure(Bench(CASE, cnn))
