"""Energy from counters that move in steps: against counters whose power a test knows."""

import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import rapl
from benchmarks.cases import Case, ModelSource
from benchmarks.energy import energy_trace, idle_power, ratio_bootstrap
from benchmarks.errors import CannotRun
from benchmarks.gauge import Gauge
from benchmarks.rapl import PackageEnergy
from benchmarks.runners.base import Assets
from benchmarks.runners.table import runner_open
from benchmarks.session import measure
from benchmarks.suites import energy as suite
from benchmarks.suites.base import Bench
from benchmarks.suites.energy import energy_measure

IDLE_W, BUSY_W = 80.0, 400.0


def zone_make(root: Path, name: str, label: str, energy_uj: int, wraps: int = 2**38) -> Path:
    zone = root / name
    zone.mkdir(parents=True)
    (zone / "name").write_text(f"{label}\n")
    (zone / "energy_uj").write_text(f"{energy_uj}\n")
    (zone / "max_energy_range_uj").write_text(f"{wraps}\n")
    return zone


def test_packages_are_added_and_nothing_is_counted_twice(tmp_path):
    first = zone_make(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    second = zone_make(tmp_path, "intel-rapl:1", "package-1", 5_000_000)
    core = zone_make(tmp_path, "intel-rapl:0:0", "core", 0)
    whole = zone_make(tmp_path, "intel-rapl:2", "psys", 0)
    energy = PackageEnergy.open(tmp_path)
    for zone, value in ((first, 3_000_000), (second, 5_500_000), (core, 9_000_000), (whole, 9_000_000)):
        (zone / "energy_uj").write_text(f"{value}\n")
    assert energy.joules() == pytest.approx(2.5)


def test_a_counter_that_wraps_goes_on(tmp_path):
    zone = zone_make(tmp_path, "intel-rapl:0", "package-0", 9_000_000, wraps=10_000_000)
    energy = PackageEnergy.open(tmp_path)
    (zone / "energy_uj").write_text("500000\n")
    assert energy.joules() == pytest.approx(1.5)


def test_a_machine_without_counters_is_told_with_the_remedy(tmp_path):
    with pytest.raises(CannotRun, match=r"no energy counters.*virtual machines"):
        PackageEnergy.open(tmp_path)


def test_a_counter_that_may_not_be_read_is_told_with_the_remedy(tmp_path, monkeypatch):
    zone_make(tmp_path, "intel-rapl:0", "package-0", 0)
    plain = Path.read_text

    def guarded(path: Path, *arguments, **more) -> str:
        if path.name == "energy_uj":  # root may read everything, so a mode would not stop this test
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path, *arguments, **more)

    monkeypatch.setattr(Path, "read_text", guarded)
    with pytest.raises(CannotRun, match=r"not readable.*energy_uj.*udev"):
        PackageEnergy.open(tmp_path)


@dataclass
class Board:
    """A device at `IDLE_W`, at `BUSY_W` while it works, whose counter moves every `step_s`.

    Its time is its own: waiting for it takes none.
    """

    step_s: float
    now: float = 0.0
    joules: float = 0.0
    done: int = 0
    each_s: float = 0.003
    shown: float = field(default=0.0)

    def advance(self, seconds: float, power: float) -> None:
        while seconds > 0:
            to_step = self.step_s - self.now % self.step_s
            part = min(seconds, to_step if to_step > 1e-12 else self.step_s)
            self.now += part
            self.joules += part * power
            if self.now % self.step_s < 1e-9 or self.step_s - self.now % self.step_s < 1e-9:
                self.shown = self.joules
            seconds -= part

    def read(self) -> float:
        return self.shown

    def step(self) -> None:
        for _ in range(3):
            self.advance(self.each_s, BUSY_W)
            self.done += 1

    def end(self) -> None:
        pass


@pytest.fixture
def board_time(monkeypatch):
    """Lets a board's own time pass where the library looks at the clock or sleeps."""

    def use(board: Board) -> Board:
        clock = type("Clock", (), {})
        clock.perf_counter = staticmethod(lambda: board.now)
        clock.sleep = staticmethod(lambda seconds: board.advance(seconds, IDLE_W))
        monkeypatch.setattr("benchmarks.energy.time", clock)
        return board

    return use


@pytest.mark.parametrize("step_s", [0.001, 0.02, 0.1])
def test_energy_of_a_launch_is_found_through_the_steps_of_the_counter(board_time, step_s):
    board = board_time(Board(step_s))
    trace = energy_trace(board.read, board, 2.0)
    joules, launches = np.ptp(trace.joules), np.ptp(trace.launches)
    assert joules / launches == pytest.approx(BUSY_W * board.each_s, rel=0.01)
    assert trace.seconds.size == pytest.approx(2.0 / max(step_s, 3 * board.each_s), rel=0.2)


def test_idle_power_is_taken_between_two_steps(board_time):
    board = board_time(Board(0.1))
    assert idle_power(board.read, 1.0) == pytest.approx(IDLE_W, rel=0.01)


def test_a_counter_that_stands_still_has_no_idle_power(board_time):
    board = board_time(Board(1e9))
    assert idle_power(board.read, 1.0) is None


def test_a_slow_counter_is_worked_for_longer_but_not_for_ever(board_time):
    board = board_time(Board(0.5))
    assert energy_trace(board.read, board, 2.0, fewest=10).joules.size >= 10
    assert board.now == pytest.approx(5.0, abs=0.6)
    still = board_time(Board(1e9))
    assert energy_trace(still.read, still, 2.0, fewest=10).joules.size == 0
    assert still.now == pytest.approx(10.0, abs=0.1)


def test_the_interval_of_a_ratio_holds_its_truth():
    """In 200 draws of ten parts with 5 % of noise, the 95 % interval holds the ratio in most."""
    generator, held = np.random.default_rng(1), 0
    for _ in range(200):
        below = generator.uniform(90, 110, size=10)
        above = 0.3 * below * generator.normal(1, 0.05, size=10)
        found = ratio_bootstrap(above, below)
        assert found.low <= found.value <= found.high
        held += found.low <= 0.3 <= found.high
    assert 160 <= held <= 199


CNN = ModelSource(kind="catalogue", ref="tiny-cnn")


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    from benchmarks.models.source import model_load, model_try

    folder = tmp_path_factory.mktemp("cnn")
    example = model_try(model_load(CNN, folder, "fp32"), "tiny-cnn")
    return Assets(CNN, folder, "fp32", "cpu", threads=1, example=example)


@dataclass
class SteppingGauge(Gauge):
    """A GPU that takes `watts` all the time; its counter moves every 20 ms."""

    watts: float | None = 250.0
    reads: int = 0
    why: dict[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> dict[str, str]:
        return self.why

    def read(self):
        self.reads += 1
        return {}

    def energy_joules(self) -> float | None:
        if self.watts is None:
            return None
        return self.watts * (time.perf_counter() // 0.02) * 0.02


def measured(assets: Assets, gauge: Gauge, batch: int, monkeypatch):
    """The suite over the real runner on the CPU and a stand-in counter of a GPU."""
    monkeypatch.setattr(suite, "SETTLE_S", 0.05)
    monkeypatch.setattr(suite, "IDLE_S", 0.2)
    case = Case(model="m", runner="torch", suite="energy", batch=batch, duration_s=1.0)
    with runner_open("torch", assets) as runner:
        runner.bind(batch)
        bench = Bench(case, replace(assets, device="cuda"), runner=runner, gauge=gauge)
        return energy_measure(bench)


def test_a_gpus_counter_gives_joules_per_sample_and_idle_power(cnn, monkeypatch):
    gauge = SteppingGauge()
    findings = measured(cnn, gauge, 2, monkeypatch)
    found = {one.metric: one for one in findings.measurements}
    energy = found["energy_per_sample"]
    assert energy.ci_low <= energy.value <= energy.ci_high
    assert found["samples_per_joule"].value == pytest.approx(1 / energy.value)
    assert found["idle_power"].value == pytest.approx(250, rel=0.1)
    assert gauge.reads >= 3, "clocks and temperature are looked at meanwhile"
    # it takes as much at work as at rest: above idle there is next to nothing
    net = found.get("energy_per_sample_net")
    if net is None:
        assert [remark.code for remark in findings.remarks] == ["energy-at-idle"]
    else:
        assert net.value < 0.1 * energy.value


def test_joules_are_of_samples_not_of_launches(cnn, monkeypatch):
    """The same power, so the energy per sample is power times the time per sample."""
    findings = measured(cnn, SteppingGauge(), 4, monkeypatch)
    energy = next(one for one in findings.measurements if one.metric == "energy_per_sample")
    with runner_open("torch", cnn) as runner:
        runner.bind(4)
        runner.infer()
        started = time.perf_counter()
        for _ in range(200):
            runner.infer()
        each = (time.perf_counter() - started) / 200 / 4
    assert 0.3 < energy.value / (250 * each) < 3, "other work here comes and goes"


def test_a_gpu_without_a_counter_skips_with_nvmls_reason(cnn, monkeypatch):
    gauge = SteppingGauge(watts=None, why={"energy": "NVML does not tell: Not Supported"})
    with pytest.raises(CannotRun, match="NVML does not tell: Not Supported"):
        measured(cnn, gauge, 1, monkeypatch)


def energy_job(folder: Path):
    return measure(
        CNN,
        model="m",
        precision="fp32",
        cases=[Case(model="m", runner="torch", suite="energy", duration_s=0.5)],
        checkout=folder,
        workdir=folder / "work",
        on_progress=lambda *_: None,
        device="cpu",
        canary=False,
    )


def test_a_processor_without_counters_skips_the_case(tmp_path, monkeypatch):
    monkeypatch.setattr(rapl, "ROOT", tmp_path / "none")
    (outcome,) = energy_job(tmp_path).outcomes
    assert outcome.status == "skipped"
    assert "no energy counters" in outcome.reason


def test_a_processor_with_counters_is_measured(tmp_path, monkeypatch):
    zone = zone_make(tmp_path / "powercap", "intel-rapl:0", "package-0", 0)
    monkeypatch.setattr(rapl, "ROOT", tmp_path / "powercap")
    ended = threading.Event()

    def count() -> None:
        """30 W, in steps of a few milliseconds, each file whole."""
        while not ended.wait(0.005):
            fresh = zone / "fresh"
            fresh.write_text(f"{int(time.perf_counter() * 30e6)}\n")
            fresh.replace(zone / "energy_uj")

    thread = threading.Thread(target=count)
    thread.start()
    try:
        report = energy_job(tmp_path)
    finally:
        ended.set()
        thread.join()
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    found = {one.metric: one.value for one in report.measurements}
    assert found["idle_power"] == pytest.approx(30, rel=0.1)
    assert found["energy_per_sample"] > 0
    assert found["samples_per_joule"] == pytest.approx(1 / found["energy_per_sample"])
    assert "cpu_utilisation" in found
