"""Offline throughput: one batch, the knee over several, the memory's end, the cost."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotCapture, ModelError
from benchmarks.gauge import Gauge
from benchmarks.runners.base import Assets, Runner
from benchmarks.session import measure
from benchmarks.suites.base import Bench
from benchmarks.suites.capturing import is_out_of_memory
from benchmarks.suites.throughput import throughput_measure

CNN = ModelSource(kind="catalogue", ref="tiny-cnn")
ASSETS = Assets(CNN, Path(), "fp32", "cpu", threads=1)


class Clock:
    """Time that passes when somebody works, the processor's and the wall's alike: no machine is too slow."""

    now = 0.0

    def perf_counter(self) -> float:
        self.now += 1e-7
        return self.now

    process_time = perf_counter

    def perf_counter_ns(self) -> int:
        return round(self.perf_counter() * 1e9)

    process_time_ns = perf_counter_ns


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    for module in ("timing", "preemption", "suites.throughput"):
        monkeypatch.setattr(f"benchmarks.{module}.time", clock)
    monkeypatch.setattr("benchmarks.timing.load_mark", lambda: None)  # it tells of the machine's time
    return clock


class Working(Runner):
    """Works for `seconds[batch]` of the clock's time; a batch that is not among them does not fit."""

    name = "torch"

    def __init__(self, clock: Clock, seconds: dict[int, float], bind_s: float = 0.0) -> None:
        super().__init__(ASSETS)
        self.clock, self.seconds, self.bind_s = clock, seconds, bind_s
        self.batch, self.bound = min(seconds), []

    def load(self) -> None: ...

    def bind(self, batch: int) -> None:
        if batch not in self.seconds:
            raise MemoryError(f"no room for {batch}")
        self.clock.now += self.bind_s
        self.batch = batch
        self.bound.append(batch)

    def feed(self, arrays: tuple[np.ndarray, ...]) -> None: ...

    def infer(self) -> None:
        self.clock.now += self.seconds[self.batch]

    def outputs(self) -> tuple[np.ndarray, ...]:
        return ()

    def close(self) -> None: ...


def found(runner: Working, price: float | None = None, duration_s: float = 0.4, **options):
    case = Case(model="m", runner="torch", suite="throughput", duration_s=duration_s, options=options)
    findings = throughput_measure(Bench(case, ASSETS, runner=runner, price_per_hour=price))
    table = {(one.case.shape, one.metric): one for one in findings.measurements}
    return table, {remark.code: remark for remark in findings.remarks}


def test_one_batch_is_measured_alone(clock):
    table, _ = found(Working(clock, {1: 0.002}), duration_s=0.2)
    assert {shape for shape, _ in table} == {"b1"}
    assert table["b1", "throughput"].value == pytest.approx(500, rel=0.01)
    assert table["b1", "throughput"].n >= 20


def test_the_knee_is_found_in_turns(clock):
    """Up to 8 rows cost the same; from there on each costs a quarter of a millisecond."""
    runner = Working(clock, {batch: 0.00025 * max(8, batch) for batch in (1, 2, 4, 8, 16, 32)})
    table, remarks = found(runner, largest_batch=32)
    # each pass goes through all batches, forth and back; the one where it turns round stays bound
    forth, back = [2, 4, 8, 16, 32], [16, 8, 4, 2, 1]
    assert runner.bound == [1, *forth, *back, *forth, *back, *forth]
    top = "b1,largest_batch=32"
    assert table[top, "best_batch"].value == 8
    assert table[top, "best_batch"].ci_low <= 8 <= table[top, "best_batch"].ci_high
    rates = {int(shape[1:]): one.value for (shape, metric), one in table.items() if metric == "throughput"}
    assert list(rates) == [1, 2, 4, 8, 16, 32]
    assert rates[1] == pytest.approx(500, rel=0.01)
    assert rates[8] == pytest.approx(4000, rel=0.01)
    assert table[top, "throughput_best"].value == max(rates.values())
    assert not remarks


def test_all_batches_together_take_the_duration(clock):
    runner = Working(clock, {batch: 0.0002 * batch for batch in (1, 2, 4, 8, 16, 32)})
    table, _ = found(runner, duration_s=1.0, largest_batch=32)
    assert 0.9 < clock.now < 1.5
    assert table["b1", "throughput"].n >= 5 * 5


def test_where_binding_costs_more_than_measuring_there_are_fewer_passes(clock):
    runner = Working(clock, {1: 0.001, 2: 0.001, 4: 0.001}, bind_s=0.1)
    table, _ = found(runner, duration_s=0.3, largest_batch=4)
    assert runner.bound == [1, 2, 4, 2, 1, 2, 4]
    assert table["b1,largest_batch=4", "throughput_best"].n == 3


class Device:
    """A GPU of a virtual time with its host's clock: a queue that works while the host goes on.

    Only what CUDA does is stood in for: events, streams and launches.
    """

    def __init__(self, launch_s: float, work_s: float) -> None:
        self.launch_s, self.work_s, self.slow = launch_s, work_s, 1.0
        self.now = self.idle_at = 0.0

    def perf_counter(self) -> float:
        self.now += 1e-7
        return self.now

    def work(self, seconds: float) -> None:
        self.idle_at = max(self.now, self.idle_at) + seconds

    def submit(self) -> None:
        self.now += self.launch_s
        self.work(self.work_s * self.slow)

    def event(self, **_) -> SimpleNamespace:
        event = SimpleNamespace(at=0.0)

        def record(_stream) -> None:
            self.now += 1e-6
            event.at = max(self.now, self.idle_at)

        def synchronize() -> None:
            self.now = max(self.now, event.at)

        event.record, event.synchronize = record, synchronize
        event.query = lambda: event.at <= self.now
        event.elapsed_time = lambda last: (last.at - event.at) * 1e3
        return event


@pytest.fixture
def device(monkeypatch):
    import torch

    made = Device(launch_s=1e-5, work_s=5e-4)
    monkeypatch.setattr(torch.cuda, "Event", made.event)
    monkeypatch.setattr(torch.cuda, "stream", lambda _stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: made.work(cycles * 5e-10))
    for module in ("gpu.events", "gpu.timing", "suites.throughput"):
        monkeypatch.setattr(f"benchmarks.{module}.time", made)
    return made


class OnDevice(Working):
    """Runs on the device; a batch takes the same time whatever it is."""

    stream = object()

    def __init__(self, device: Device) -> None:
        super().__init__(Clock(), {1: 0.0, 2: 0.0, 4: 0.0})
        self.device = device

    def capture(self) -> None: ...

    def submit(self) -> None:
        self.device.submit()


class Holding(Gauge):
    """Tells of heat in some of its readings, and notes whether the device had work meanwhile."""

    def __init__(self, device: Device, held: range, takes_s: float = 0.004) -> None:
        self.device, self.held, self.takes_s, self.busy = device, held, takes_s, []

    def read(self) -> dict[str, float | None]:
        self.device.now += self.takes_s
        self.busy.append(self.device.idle_at > self.device.now)
        told = 0x40 if len(self.busy) in self.held else 0
        self.device.slow = 2.0 if len(self.busy) + 1 in self.held else 1.0
        return {"throttle": told}


def on_device(device: Device, gauge: Gauge, duration_s: float = 1.0, **options):
    case = Case(model="m", runner="torch", suite="throughput", duration_s=duration_s, options=options)
    findings = throughput_measure(Bench(case, ASSETS, runner=OnDevice(device), gauge=gauge))
    return findings, {(one.case.shape, one.metric): one for one in findings.measurements}


def test_on_a_gpu_the_gauge_is_read_beside_work_and_what_was_held_back_left_out(device):
    gauge = Holding(device, range(3, 8))
    findings, table = on_device(device, gauge)
    assert len(gauge.busy) >= 15
    assert all(gauge.busy)
    rate = table["b1", "throughput"]
    # the few pairs in flight when the GPU slows or recovers are told with the time before
    assert np.quantile(rate.samples, (0.1, 0.9)) == pytest.approx((2000, 2000), rel=0.01)
    (remark,) = [one for one in findings.remarks if one.code == "held-back"]
    assert "left out" in remark.sentence
    assert not remark.unstable


def test_a_reading_that_lets_the_gpu_idle_leaves_out_what_follows(device):
    """Of launches that the host takes 0.3 ms for and the GPU 0.5, the first after a pause seem longer."""
    device.launch_s = 3e-4
    _, table = on_device(device, Holding(device, range(0), takes_s=0.1))
    assert table["b1", "throughput"].samples == pytest.approx([2000] * table["b1", "throughput"].n, rel=0.001)


def test_a_gpu_held_back_all_the_time_is_doubtful(device):
    findings, table = on_device(device, Holding(device, range(10_000)))
    assert table["b1", "throughput"].n >= 10
    assert [one.unstable for one in findings.remarks if one.code == "held-back"] == [True]


def test_the_knee_on_a_gpu_takes_the_duration_too(device):
    findings, table = on_device(device, Holding(device, range(0)), duration_s=3.0, largest_batch=4)
    assert device.now < 2 * 3.0
    rates = [one.value for (_, metric), one in table.items() if metric == "throughput"]
    assert rates == pytest.approx([2000, 4000, 8000], rel=0.001)
    assert not [one for one in findings.remarks if one.code == "held-back"]


def test_a_launch_shorter_than_the_hosts_turn_is_timed_behind_a_spin(device, monkeypatch):
    """The host needs 30 µs for a launch of 5 µs: without a lead they lie between the events."""
    from benchmarks.gauge import NO_GAUGE
    from benchmarks.gpu.events import launches_time
    from benchmarks.gpu.timing import gpu_time

    device.launch_s, device.work_s = 3e-5, 5e-6
    runner = OnDevice(device)
    starved = launches_time(runner.submit, runner.stream, pairs=50, per_pair=1)
    assert np.median(starved) > 30e-6
    monkeypatch.setattr("benchmarks.gpu.timing.cold_launches_time", lambda *_, **__: np.ones(1))  # a real L2
    timing = gpu_time(runner, 0.2, NO_GAUGE)
    assert timing.single == pytest.approx([5e-6] * timing.single.size, rel=0.01)


def test_the_memorys_end_is_an_end_not_a_failure(clock):
    table, remarks = found(Working(clock, {1: 0.002, 2: 0.002, 4: 0.002}), largest_batch=64)
    assert {shape for shape, metric in table if metric == "throughput"} == {"b1", "b2", "b4"}
    assert table["b1,largest_batch=64", "best_batch"].value == 4
    assert "batch 8" in remarks["out-of-memory"].sentence
    assert remarks["out-of-memory"].case.shape == "b1,largest_batch=64"


def test_the_case_s_own_batch_must_fit(clock):
    with pytest.raises(MemoryError):
        found(Working(clock, {2: 0.001}), largest_batch=4)


def test_a_search_that_falls_ends_early_and_one_that_rises_says_so(clock):
    falling = Working(clock, {1: 0.002, 2: 0.002, 4: 0.008, 8: 0.016, 16: 0.032})
    table, remarks = found(falling, largest_batch=16)
    assert 16 not in falling.bound
    assert table["b1,largest_batch=16", "best_batch"].value == 2
    assert "fell-early" in remarks
    _, remarks = found(Working(clock, {1: 0.002, 2: 0.002, 4: 0.002}), largest_batch=4)
    assert "raise largest_batch" in remarks["knee-beyond"].sentence


def test_the_cost_is_the_price_over_the_rate(clock):
    table, _ = found(Working(clock, {1: 0.002}), price=3.6, duration_s=0.2)
    rate, cost = table["b1", "throughput"], table["b1", "cost_per_million_samples"]
    assert cost.value == pytest.approx(3.6 / 3600 * 1e6 / rate.value)
    assert (cost.ci_low, cost.ci_high) == pytest.approx((1000 / rate.ci_high, 1000 / rate.ci_low))
    table, _ = found(Working(clock, {1: 0.002}), duration_s=0.1)
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
