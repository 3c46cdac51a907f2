"""What NVML tells of the GPU, what follows for a measurement, and how busy real cases kept the processor."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pynvml
import pytest

from benchmarks import nvml
from benchmarks.cases import Case, ModelSource
from benchmarks.gauge import MOST_READINGS, NO_GAUGE, Gauge, GpuGauge, held_back
from benchmarks.session import measure
from benchmarks.stability import gauge_remarks
from benchmarks.suites.base import Findings
from tests.benchmarks.nvml_standin import StandIn, healthy, process, refusal

CASE = Case(model="m", runner="torch", suite="latency")


def gauge_on(monkeypatch, standin: StandIn) -> GpuGauge:
    monkeypatch.setattr(nvml, "pynvml", standin)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    return GpuGauge()


def test_a_reading_is_in_si_units_and_kept_with_its_time(monkeypatch):
    standin = healthy()
    with gauge_on(monkeypatch, standin) as gauge:
        values = gauge.read()
        assert gauge.missing == {}
        assert standin.opened == 1
    assert standin.opened == 0, "NVML is shut down"
    assert values == {
        "sm_clock": 1980e6,
        "memory_clock": 2619e6,
        "temperature": 45.0,
        "power": 312.5,
        "throttle": 0.0,
        "energy": 7.5,
    }
    ((seconds, kept),) = gauge.readings
    assert kept == values
    assert 0 <= seconds < 1


def test_a_refused_reading_is_none_with_its_reason_and_never_zero(monkeypatch):
    refused = refusal(pynvml.NVML_ERROR_NOT_SUPPORTED)
    standin = healthy(nvmlDeviceGetPowerUsage=refused, nvmlDeviceGetTotalEnergyConsumption=refused)
    with gauge_on(monkeypatch, standin) as gauge:
        values = gauge.read()
        assert gauge.energy_joules() is None
    assert values["power"] is None
    assert values["energy"] is None
    assert values["temperature"] == 45.0
    assert gauge.missing == dict.fromkeys(("power", "energy"), "NVML does not tell: Not Supported")


@pytest.mark.parametrize(
    ("standin", "why"),
    [
        (StandIn(nvmlDeviceGetHandleByIndex=refusal(pynvml.NVML_ERROR_GPU_IS_LOST)), "GPU is lost"),
        (None, "nvidia-ml-py is not installed"),
    ],
)
def test_a_gpu_that_does_not_open_leaves_everything_none(monkeypatch, standin, why):
    with gauge_on(monkeypatch, standin) as gauge:
        assert set(gauge.read().values()) == {None}
        assert (gauge.utilisation(), gauge.process_bytes(1), gauge.device_bytes()) == (None, None, None)
        assert (gauge.process_peak_bytes(1), gauge.foreign()) == (None, set())
    assert why in gauge.missing["gpu"]
    if standin is not None:
        assert standin.opened == 0


def test_readings_are_thinned_evenly(monkeypatch):
    with gauge_on(monkeypatch, healthy()) as gauge:
        for _ in range(2 * MOST_READINGS + 1):
            gauge.read()
    times = [seconds for seconds, _ in gauge.readings]
    assert MOST_READINGS / 2 <= len(times) <= MOST_READINGS
    assert times == sorted(times)


def samples_of(*pairs: tuple[float, int]):
    """Samples so many seconds after now, in per cent."""

    def answer(handle: int, kind: int, since_us: int):
        assert kind == pynvml.NVML_GPU_UTILIZATION_SAMPLES
        return pynvml.NVML_VALUE_TYPE_UNSIGNED_INT, [
            SimpleNamespace(timeStamp=since_us + int(after * 1e6), sampleValue=SimpleNamespace(uiVal=share))
            for after, share in pairs
        ]

    return answer


def test_utilisation_is_the_mean_of_the_samples_since_the_gauge_was_opened(monkeypatch):
    told = samples_of((-1.0, 0), (0.2, 80), (0.4, 100))
    with gauge_on(monkeypatch, healthy(nvmlDeviceGetSamples=told)) as gauge:
        assert gauge.utilisation() == pytest.approx(0.9), "an older sample is no part of it"


def test_no_sample_yet_is_none_without_a_fault(monkeypatch):
    for answer in (samples_of(), refusal(pynvml.NVML_ERROR_NOT_FOUND)):
        with gauge_on(monkeypatch, healthy(nvmlDeviceGetSamples=answer)) as gauge:
            assert gauge.utilisation() is None
            assert gauge.missing == {}


def test_memory_is_told_by_process_by_accounting_and_of_the_whole_gpu(monkeypatch):
    listed = [process(4711, 3 * 2**20), process(4712, None)]
    stats = SimpleNamespace(maxMemoryUsage=5 * 2**20)
    standin = healthy(
        nvmlDeviceGetComputeRunningProcesses=listed,
        nvmlDeviceGetAccountingMode=1,
        nvmlDeviceGetAccountingStats=lambda handle, pid: stats,
    )
    with gauge_on(monkeypatch, standin) as gauge:
        assert gauge.process_bytes(4711) == 3 * 2**20
        assert gauge.process_bytes(4712) is None
        assert gauge.process_bytes(1) is None
        assert gauge.process_peak_bytes(4711) == 5 * 2**20
        assert gauge.device_bytes() == 600 * 2**20
        standin.answers["nvmlDeviceGetAccountingMode"] = 0
        assert gauge.process_peak_bytes(4711) is None


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x00, []),
        (0x01, []),  # idle
        (0x04, []),  # its power limit: what the model takes is the model's doing
        (0x08, ["a hardware slowdown"]),
        (0x20, ["heat (software)"]),
        (0x48, ["a hardware slowdown", "heat (hardware)"]),
        (0x80, ["the power supply's brake"]),
    ],
)
def test_the_driver_says_who_holds_the_gpu_back(bits, words):
    assert held_back({"throttle": float(bits)}) == words
    assert held_back({"throttle": None}) == []


def remarks_of(gauge: Gauge) -> dict[str, tuple[str, bool]]:
    findings = Findings(CASE)
    gauge_remarks(findings, gauge)
    assert all(remark.case == CASE for remark in findings.remarks)
    return {remark.code: (remark.sentence, remark.unstable) for remark in findings.remarks}


def read_at(gauge: GpuGauge, standin: StandIn, *clocks: int) -> None:
    for clock in clocks:
        standin.answers["nvmlDeviceGetClockInfo"] = clock
        gauge.read()


def test_a_steady_gpu_gives_no_remark(monkeypatch):
    standin = healthy()
    with gauge_on(monkeypatch, standin) as gauge:
        # before the work and after it the GPU may idle at a low clock
        read_at(gauge, standin, 345, 1980, 1965, 1980, 345)
        assert remarks_of(gauge) == {}
    assert remarks_of(NO_GAUGE) == {}


def test_a_clock_that_moved_is_told(monkeypatch):
    standin = healthy()
    with gauge_on(monkeypatch, standin) as gauge:
        read_at(gauge, standin, 345, 1980, 1742, 345)
        sentence, unstable = remarks_of(gauge)["clock-moved"]
    assert "12%" in sentence
    assert "1742 to 1980 MHz" in sentence
    assert "lock the clocks" in sentence
    assert not unstable


def test_a_throttled_gpu_makes_the_numbers_unstable(monkeypatch):
    standin = healthy()
    with gauge_on(monkeypatch, standin) as gauge:
        gauge.read()
        standin.answers["nvmlDeviceGetCurrentClocksThrottleReasons"] = 0x48
        gauge.read()
        standin.answers["nvmlDeviceGetCurrentClocksThrottleReasons"] = 0
        gauge.read()
        sentence, unstable = remarks_of(gauge)["throttled"]
    assert "a hardware slowdown and heat (hardware)" in sentence
    assert "cool it" in sentence
    assert unstable


def test_a_suite_that_left_throttled_blocks_out_has_said_so_itself(monkeypatch):
    with gauge_on(monkeypatch, healthy(nvmlDeviceGetCurrentClocksThrottleReasons=0x40)) as gauge:
        gauge.read()
        findings = Findings(CASE)
        findings.remark("held-back", "2 of 50 blocks were left out and measured again")
        gauge_remarks(findings, gauge)
    assert [remark.code for remark in findings.remarks] == ["held-back"]


def test_what_nvml_does_not_tell_is_told_once_with_a_remedy(monkeypatch):
    refused = refusal(pynvml.NVML_ERROR_NO_PERMISSION)
    with gauge_on(monkeypatch, healthy(nvmlDeviceGetPowerUsage=refused)) as gauge:
        gauge.read()
        gauge.read()
        remarks = remarks_of(gauge)
    assert remarks.keys() == {"reading-missing"}
    sentence, unstable = remarks["reading-missing"]
    assert "power" in sentence
    assert "Insufficient Permissions" in sentence
    assert not unstable


def a_process(seconds: float = 30) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])


def test_a_foreign_process_is_told_even_when_it_has_left(monkeypatch):
    standin = healthy()
    # a child of init: neither ours nor one that started us
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); print(os.getpid(), flush=True); os.close(1); time.sleep(30)\n"
    )
    started = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    stranger = int(started.stdout)
    try:
        with gauge_on(monkeypatch, standin) as gauge:
            standin.answers["nvmlDeviceGetComputeRunningProcesses"] = [process(stranger, 2**20)]
            gauge.read()
            standin.answers["nvmlDeviceGetComputeRunningProcesses"] = []
            sentence, unstable = remarks_of(gauge)["foreign-process"]
    finally:
        os.kill(stranger, 9)
    assert str(stranger) in sentence
    assert unstable


def test_our_own_family_and_numbers_from_outside_a_container_are_not_foreign(monkeypatch):
    child = a_process()
    try:
        ours = [process(pid, 2**20) for pid in (os.getpid(), os.getppid(), child.pid, 2**22 - 1)]
        with gauge_on(monkeypatch, healthy(nvmlDeviceGetComputeRunningProcesses=ours)) as gauge:
            gauge.read()
            assert gauge.foreign() == set()
    finally:
        child.kill()
        child.wait()


SLEEPY = """
import time
import torch

class Sleepy(torch.nn.Module):
    def forward(self, rows):
        time.sleep(0.005)
        return rows * 2

class Busy(torch.nn.Module):
    def forward(self, rows):
        end = time.perf_counter() + 0.005
        while time.perf_counter() < end:
            pass
        return rows * 2

def sleepy():
    return Sleepy(), torch.ones(1, 8)

def busy():
    return Busy(), torch.ones(1, 8)
"""


def utilisations_of(folder, function: str) -> dict[str, float]:
    """The processor's utilisation by suite, after checking that each case has one."""
    suites = ("latency", "throughput", "accuracy", "memory")
    report = measure(
        ModelSource(kind="entry", ref=f"model.py:{function}"),
        model="m",
        precision="fp32",
        cases=[Case(model="m", runner="torch", suite=suite, duration_s=0.5) for suite in suites],
        checkout=folder,
        workdir=folder / function,
        on_progress=lambda *_: None,
        device="cpu",
        canary=False,
    )
    told = [one for one in report.measurements if one.metric == "cpu_utilisation"]
    done = [outcome.case.suite for outcome in report.outcomes if outcome.status == "done"]
    assert sorted(one.case.suite for one in told) == sorted(done), "once for each case"
    assert {"latency", "throughput", "memory"} <= set(done)
    assert not [one for one in report.measurements if one.metric == "gpu_utilisation"], "there is no GPU"
    return {one.case.suite: one.value for one in told}


def test_every_suite_reports_how_busy_the_processor_was(tmp_path, monkeypatch):
    (tmp_path / "model.py").write_text(SLEEPY)
    monkeypatch.setattr("benchmarks.prepare.threads_choose", lambda: 1)
    sleepy, busy = utilisations_of(tmp_path, "sleepy"), utilisations_of(tmp_path, "busy")
    for suite in ("latency", "throughput"):
        # a core that others want too is never all ours
        assert 0 < 3 * sleepy[suite] < busy[suite] < 1.1, (sleepy, busy)
    assert 0 < sleepy["memory"] < 1.1, "a child's time counts too"


def test_the_clock_of_readings_is_that_of_the_case(monkeypatch):
    with gauge_on(monkeypatch, healthy()) as gauge:
        gauge.read()
        time.sleep(0.05)
        gauge.read()
    (first, _), (last, _) = gauge.readings
    assert last - first >= 0.05
