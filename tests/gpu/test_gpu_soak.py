"""Leaks of GPU memory on a real NVIDIA GPU."""

import time

import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.report import Report

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]

LEAKY = """
import ctypes
import torch
from torch import nn

KEPT = []

class Net(nn.Module):
    def __init__(self, leak):
        super().__init__()
        self.layer = nn.Linear(256, 256)
        self.leak = leak

    def forward(self, x):
        self.leak(x)
        return self.layer(x)

def tensors():
    keep = lambda x: KEPT.append(torch.zeros(2**16, dtype=torch.uint8, device=x.device))
    return Net(keep), (torch.ones(1, 256),)

def driver():
    library = ctypes.CDLL("libcuda.so.1")
    def keep(x):
        if x.is_cuda:
            pointer = ctypes.c_uint64()
            assert library.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(2**16)) == 0
    return Net(keep), (torch.ones(1, 256),)

def sound():
    return Net(lambda x: None), (torch.ones(1, 256),)
"""


def soak(folder, *, function=None, model="tiny-cnn", runner="torch", seconds=5.0) -> Report:
    (folder / "leaky.py").write_text(LEAKY)
    source = (
        ModelSource(kind="entry", ref=f"leaky.py:{function}")
        if function
        else ModelSource(kind="catalogue", ref=model)
    )
    case = Case(model="m", runner=runner, suite="soak", duration_s=seconds)
    report = measure_here(source, case, folder)
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    return report


def measure_here(source, case, folder) -> Report:
    from benchmarks.session import measure

    return measure(
        source,
        model="m",
        precision="fp32",
        cases=[case],
        checkout=folder,
        workdir=folder / "work",
        on_progress=lambda *_: None,
        canary=False,
    )


def metrics(report: Report) -> dict[str, float]:
    return {one.metric: one.value for one in report.measurements}


def remarks(report: Report) -> dict[str, str]:
    return {remark.code: remark.sentence for remark in report.remarks}


def test_64_kib_per_iteration_of_tensors_are_found_in_seconds(tmp_path):
    began = time.monotonic()
    report = soak(tmp_path, function="tensors", seconds=6)
    assert time.monotonic() - began < 60
    found = metrics(report)
    print(found, remarks(report))
    assert found["leak_gpu_allocated"] == pytest.approx(2**16, rel=0.05)
    assert found["leaks"] >= 1
    assert 0 < found["time_to_out_of_memory"] < 3600
    sentence = remarks(report)["leak-gpu_allocated"]
    assert "64.0 KiB per iteration" in sentence
    assert "plain after" in sentence


def test_64_kib_per_iteration_below_torch_are_seen_by_nvml(tmp_path):
    """The driver gives out 2 MiB at a time: NVML's counter is a staircase that goes on."""
    report = soak(tmp_path, function="driver", seconds=6)
    found = metrics(report)
    print(found, remarks(report))
    if "leak_gpu_process" not in found:
        pytest.skip(f"NVML does not tell this process's memory here: {remarks(report)}")
    assert found["leak_gpu_process"] == pytest.approx(2**16, rel=0.25)
    assert "leak-gpu_process" in remarks(report)
    assert "leak-gpu_allocated" not in remarks(report)


@pytest.mark.parametrize(
    ("model", "runner"), [(None, "torch"), ("tiny-cnn", "torch"), ("tiny-cnn", "onnxruntime")]
)
def test_what_does_not_leak_on_the_gpu_is_not_accused(tmp_path, model, runner):
    function = None if model else "sound"
    report = soak(tmp_path, function=function, model=model or "", runner=runner)
    found = metrics(report)
    print(found, remarks(report))
    assert found["leaks"] == 0, remarks(report)
    assert 20 < found["soak_temperature"] < 100
    assert 30 < found["soak_power"] < 1000
    assert len([one for one in report.readings if one.case is not None]) >= 4
