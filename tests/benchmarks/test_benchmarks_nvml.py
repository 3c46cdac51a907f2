"""Which GPU the report describes."""

import pynvml
import pytest

from benchmarks import nvml
from benchmarks.nvml import gpu_count, gpu_facts, gpu_handle, gpu_visible, nvml_open
from tests.benchmarks.nvml_standin import UUIDS, StandIn, refusal


@pytest.mark.parametrize(
    ("devices", "gpu"),
    [
        (None, 0),
        ("", 0),
        ("2", 2),
        ("3,1", 3),
        ("GPU-7968a6fa-3f4e", "GPU-7968a6fa-3f4e"),
        ("GPU-a,GPU-b", "GPU-a"),
    ],
)
def test_the_first_visible_gpu_is_the_one_measured(devices, gpu):
    assert gpu_visible(devices) == gpu


@pytest.mark.parametrize(
    ("devices", "index"), [(None, 0), ("1", 1), (UUIDS[1], 1), (UUIDS[0][:12], 0), (UUIDS[1] + ",0", 1)]
)
def test_a_uuid_or_its_beginning_names_the_gpu(monkeypatch, devices, index):
    if devices is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)
    assert gpu_handle(StandIn()) == index


def test_a_gpu_that_is_not_there_is_a_fact_with_its_reason(monkeypatch):
    monkeypatch.setattr(nvml, "pynvml", StandIn())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-ffffffff")
    facts, missing = gpu_facts()
    assert facts == {"gpu_name": None}
    assert "GPU-ffffffff" in missing["gpu_name"]
    assert "Not Found" in missing["gpu_name"]


def test_facts_that_nvml_refuses_are_none_with_its_words(monkeypatch):
    standin = StandIn(nvmlDeviceGetName="NVIDIA H100", nvmlSystemGetCudaDriverVersion=13000)
    monkeypatch.setattr(nvml, "pynvml", standin)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    facts, missing = gpu_facts()
    assert (facts["gpu_name"], facts["gpu_driver_cuda"], facts["gpu_uuid"]) == (
        "NVIDIA H100",
        "13.0",
        UUIDS[0],
    )
    assert facts["gpu_power_limit_w"] is None
    assert "Not Supported" in missing["gpu_power_limit_w"]
    assert standin.opened == 0


def test_without_a_driver_there_is_no_gpu_and_a_sentence_says_why(monkeypatch):
    standin = StandIn()
    standin.nvmlInit = lambda: (_ for _ in ()).throw(refusal(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND))
    monkeypatch.setattr(nvml, "pynvml", standin)
    with nvml_open() as opened:
        assert opened == "NVML does not start: NVML Shared Library Not Found"
    assert gpu_count() == 0
