"""Memory by kind, energy and cold starts on a real NVIDIA GPU, of a model whose size is known."""

import pytest

from benchmarks.cases import Case, ModelSource

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]

MEBIBYTE = 2**20
WEIGHTS = 64 * MEBIBYTE  # two matrices of 2,048 x 4,096 numbers in fp32
MODEL = """
import torch

def build():
    first, second = torch.nn.Linear(4096, 2048, bias=False), torch.nn.Linear(2048, 4096, bias=False)
    return torch.nn.Sequential(first, torch.nn.ReLU(), second), torch.randn(1, 4096)
"""
BATCH = 1024  # 16 MiB in, 8 MiB between, 16 MiB out


@pytest.fixture
def job(tmp_path):
    """Measures one suite of the model; its values and remarks by name."""
    from benchmarks.session import measure

    def run(suite: str, runner: str, **more):
        (tmp_path / "model.py").write_text(MODEL)
        report = measure(
            ModelSource(kind="entry", ref="model.py:build"),
            model="m",
            precision="fp32",
            cases=[Case(model="m", runner=runner, suite=suite, batch=BATCH, duration_s=0.5, **more)],
            checkout=tmp_path,
            workdir=tmp_path / "work",
            on_progress=lambda *_: None,
            device="cuda",
        )
        assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
        found = {one.metric: one.value for one in report.measurements}
        remarks = {one.code: one.sentence for one in report.remarks}
        print(suite, runner, found, remarks)
        return found, remarks

    return run


def test_torch_tells_five_kinds_that_fit_together(job):
    found, remarks = job("memory", "torch")
    # weights, inputs, what lies between and outputs; the graph's own of the last two and cuBLAS's
    # workspaces (32 MiB each) besides
    assert WEIGHTS + 40 * MEBIBYTE <= found["gpu_allocated_peak"] <= WEIGHTS + 200 * MEBIBYTE
    assert found["gpu_reserved_peak"] >= found["gpu_allocated_peak"]
    reserved = found["gpu_reserved_peak"]
    assert found["gpu_fragmentation"] == pytest.approx((reserved - found["gpu_allocated_peak"]) / reserved)
    if "host-memory-untold" not in remarks:
        assert found["host_peak_memory"] > WEIGHTS / 2, "the weights were made on the host"
    if "gpu-memory-untold" in remarks:
        assert "gpu_peak_memory" not in found
        return
    # the driver sees what the allocator took, and the libraries' workspaces and kernels besides
    assert 0.98 * reserved <= found["gpu_peak_memory"] <= reserved + 512 * MEBIBYTE
    assert 64 * MEBIBYTE < found["gpu_context_memory"] < 2048 * MEBIBYTE or "gpu-memory-whole" in remarks
    assert found["samples_per_mebibyte"] > 0


def test_equal_jobs_have_equal_peaks(job):
    first, second = (job("memory", "torch")[0] for _ in range(2))
    for name in ("gpu_allocated_peak", "gpu_reserved_peak"):
        assert first[name] == second[name]
    if "gpu_peak_memory" in first:
        assert first["gpu_peak_memory"] == pytest.approx(second["gpu_peak_memory"], abs=4 * MEBIBYTE)


def test_without_a_graph_less_is_reserved(job):
    plain, _ = job("memory", "torch", options={"graph": False})
    captured, _ = job("memory", "torch")
    assert plain["gpu_reserved_peak"] <= captured["gpu_reserved_peak"]


def test_onnxruntime_shows_in_the_process_alone(job):
    pytest.importorskip("onnxruntime")
    found, remarks = job("memory", "onnxruntime")
    assert "gpu_allocated_peak" not in found
    if "gpu-memory-untold" not in remarks:
        assert found["gpu_peak_memory"] >= WEIGHTS


def test_energy_comes_from_the_counter(job):
    from benchmarks.gauge import GpuGauge

    found, _ = job("energy", "torch")
    with GpuGauge() as gauge:
        if gauge.energy_joules() is None:
            pytest.skip(f"this GPU has no energy counter: {gauge.missing}")
    assert 10 < found["idle_power"] < 400
    assert found["samples_per_joule"] == pytest.approx(1 / found["energy_per_sample"])
    # 2 x 2 x 2,048 x 4,096 operations a sample: 10 pJ to 1 nJ each would be a wonder or a fault
    assert 3.4e7 * 1e-12 < found["energy_per_sample"] < 3.4e7 * 1e-9
    assert 0 < found["energy_per_sample_net"] < found["energy_per_sample"]


def test_equal_energy_jobs_agree(job):
    first, second = (job("energy", "torch")[0]["energy_per_sample"] for _ in range(2))
    assert first == pytest.approx(second, rel=0.05)


@pytest.mark.parametrize("runner", ["torch", "onnxruntime"])
def test_a_cold_start_on_a_gpu(job, monkeypatch, runner):
    """One start of each kind instead of three: each brings a process up to its CUDA context."""
    pytest.importorskip(runner)
    monkeypatch.setattr("benchmarks.suites.cold_start.FEWEST", 1)
    monkeypatch.setattr("benchmarks.suites.cold_start.MOST", 1)
    found, remarks = job("cold_start", runner)
    parts = ("libraries_time", "lazy_load_time", "first_inference_time")
    assert found["cold_start_time"] == pytest.approx(sum(found[part] for part in parts))
    assert found["eager_load_time"] > 0
    assert found["hot_update_time"] > 0, remarks
    assert found["cached_load_time"] > 0, remarks


def test_the_bare_context_is_made_without_the_runtime():
    from benchmarks.isolation import isolated

    held = isolated(context_held)
    assert held["before"] is False
    assert held["after"] is True
    assert held["allocated"] == 0


def context_held() -> dict[str, object]:
    """Whether this process has a primary context, before and after; what torch allocated for it."""
    import ctypes

    from benchmarks.gpu.context import context_open

    def active() -> bool:
        driver, flags, on = ctypes.CDLL("libcuda.so.1"), ctypes.c_uint(), ctypes.c_int()
        driver.cuInit(0)
        driver.cuDevicePrimaryCtxGetState(0, ctypes.byref(flags), ctypes.byref(on))
        return bool(on.value)

    before = active()
    context_open()
    return {"before": before, "after": active(), "allocated": torch.cuda.memory_allocated()}


def test_the_parent_sees_the_childs_memory_grow(tmp_path):
    from benchmarks.device_memory import DeviceWatch
    from benchmarks.errors import CannotRun
    from benchmarks.gauge import GpuGauge
    from benchmarks.isolation import isolated

    with GpuGauge() as gauge:
        watch = DeviceWatch.begin(gauge)
        base, work = isolated(block_held, 512, meanwhile=watch.sample)
        try:
            peak = watch.peak(base, work)
        except CannotRun as error:
            pytest.skip(str(error))
    print(peak)
    assert 512 * MEBIBYTE <= peak.above <= 560 * MEBIBYTE
    assert peak.gap_s < 0.05


def block_held(mebibytes: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Hold the bare context, then a block too; the two windows."""
    import time

    from benchmarks.gpu.context import gpu_ready

    gpu_ready()
    torch.cuda.init()
    begun = time.monotonic()
    time.sleep(0.2)
    middle = time.monotonic()
    block = torch.empty(mebibytes * MEBIBYTE, dtype=torch.uint8, device="cuda")
    torch.cuda.synchronize()
    time.sleep(0.2)
    assert block.numel()
    return (begun, middle), (middle, time.monotonic())
