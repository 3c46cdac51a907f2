"""The sweep: every limit ends it cleanly, and says which."""

import contextlib
import os
from dataclasses import replace

import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotRun, ExportError, MeasureError, ModelError
from benchmarks.metrics import metric_get
from benchmarks.models.source import model_load, model_try
from benchmarks.nursery import Nursery
from benchmarks.runners.base import Assets
from benchmarks.session import measure
from benchmarks.suites.base import Bench
from benchmarks.suites.sweep import end_of, sizes_of, sweep_measure

BERT = ModelSource(kind="catalogue", ref="tiny-bert")
CNN = ModelSource(kind="catalogue", ref="tiny-cnn")
ENTRY = ModelSource(kind="entry", ref="model.py:build")
HEAD = """
import time
import torch
class Model(torch.nn.Module):
    def forward(self, images):
        size = images.shape[-1]
        BODY
        return images.mean((1, 2, 3))
def build():
    return Model(), torch.randn(1, 3, 8, 8)
"""
HUNGRY = HEAD.replace("BODY", "torch.empty(2 ** 50 if size > 16 else 1)")
# what the kernel does to a process that takes too much memory; in the job's own it would end the tests
KILLED = HEAD.replace(
    "BODY",
    """
        import os, signal
        if size > 16:
            assert os.getpid() != JOB, "a size was tried in the job's own process"
            os.kill(os.getpid(), signal.SIGKILL)
""",
)
WORDS = """
import torch
class Words(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.places = torch.nn.Embedding(64, 8)
    def forward(self, ids):
        return self.places(torch.arange(ids.shape[1])).sum() + ids.float().mean(1)
def build():
    return Words(), torch.ones(1, 32, dtype=torch.int64)
"""
SLOW = HEAD.replace("BODY", "time.sleep(0.2 if size > 16 else 0)")


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    """Threads that an earlier test started forbid a nursery; on one core nobody needs them."""
    monkeypatch.setattr("benchmarks.nursery.native_threads", set)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield
    os.sched_setaffinity(0, before)


def case(runner="torch", duration_s=0.3, **options) -> Case:
    return Case(model="m", runner=runner, suite="sweep", duration_s=duration_s, options=options)


def job(tmp_path, source, one: Case, text: str = ""):
    (tmp_path / "model.py").write_text(text)
    return measure(
        source,
        model="m",
        precision="fp32",
        cases=[one],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *_: None,
        canary=False,
    )


def sizes_with(report, metric: str) -> list[int]:
    return [dict(one.case.options)["size"] for one in report.measurements if one.metric == metric]


def largest(report) -> list[float]:
    return [one.value for one in report.measurements if one.metric == "sweep_largest"]


@pytest.mark.parametrize(
    ("source", "runner", "duration_s", "words"),
    [(BERT, "torch", 3.0, "64 positions"), (ENTRY, "onnxruntime", 15.0, "index out of range")],
)
def test_the_models_limit_ends_the_sweep_and_not_the_job(tmp_path, source, runner, duration_s, words):
    report = job(tmp_path, source, case(runner, duration_s=duration_s), WORDS)  # ends long before
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    assert sizes_with(report, "latency_p50") == [32, 64]
    assert sizes_with(report, "host_peak_memory") == [32, 64]
    assert largest(report) == [64]
    (remark,) = [remark for remark in report.remarks if remark.code == "model-limit"]
    assert "128 tokens" in remark.sentence
    assert words in remark.sentence


def test_a_larger_picture_takes_longer_and_more_memory(tmp_path):
    report = job(tmp_path, CNN, case(duration_s=1.5, largest_size=128))
    found = {
        (one.metric, dict(one.case.options).get("size")): one.value
        for one in report.measurements
        if one.metric != "cpu_utilisation"
    }
    assert found["latency_p50", 128] > 2 * found["latency_p50", 32]
    assert found["host_peak_memory", 128] > found["host_peak_memory", 32] + 2**20
    assert found["sweep_largest", None] == 128


def test_a_size_alone_is_the_case_itself(tmp_path):
    report = job(tmp_path, BERT, case(size=64))
    assert sizes_with(report, "latency_p50") == [64]
    assert largest(report) == []
    assert {one.case for one in report.measurements} == {case(size=64)}


def test_a_size_that_does_not_run_is_skipped_with_the_reason(tmp_path):
    (outcome,) = job(tmp_path, BERT, case(size=65)).outcomes
    assert outcome.status == "skipped"
    assert "65 tokens do not run" in outcome.reason
    assert "64 positions" in outcome.reason


def test_the_memorys_end_is_told(tmp_path):
    report = job(tmp_path, ENTRY, case(duration_s=1.0), HUNGRY)
    assert largest(report) == [16]
    (remark,) = [remark for remark in report.remarks if remark.code == "out-of-memory"]
    assert "32 pixels" in remark.sentence


@pytest.mark.parametrize(("runner", "duration_s"), [("torch", 1.0), ("onnxruntime", 15.0)])
def test_a_size_that_kills_its_process_leaves_the_job_alone(tmp_path, runner, duration_s):
    text = KILLED.replace("JOB", str(os.getpid()))
    report = job(tmp_path, ENTRY, case(runner, duration_s=duration_s), text)
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    assert largest(report) == [16]
    (remark,) = [remark for remark in report.remarks if remark.code == "out-of-memory"]
    assert "32 pixels" in remark.sentence


def test_the_times_end_is_told_and_is_no_result(tmp_path):
    report = job(tmp_path, ENTRY, case(duration_s=0.5), SLOW)
    assert sizes_with(report, "latency_p50") == [8, 16]
    assert largest(report) == []
    (remark,) = [remark for remark in report.remarks if remark.code == "time-limit"]
    assert "32 pixels" in remark.sentence
    assert "measure longer" in remark.sentence


def test_the_export_of_a_size_is_charged(tmp_path):
    one = case("onnxruntime", duration_s=0.2, largest_size=32)  # an export takes longer
    report = job(tmp_path, ENTRY, one, HEAD.replace("BODY", "pass"))
    assert sizes_with(report, "latency_p50") == [8, 16], "what was exported is measured"
    assert largest(report) == []
    (remark,) = [remark for remark in report.remarks if remark.code == "time-limit"]
    assert "before 32 pixels" in remark.sentence
    assert "what was made for them" in remark.sentence


def test_the_memory_is_the_same_without_a_nursery(tmp_path):
    assets = Assets(CNN, tmp_path, "fp32", "cpu", 1)
    assets = replace(assets, example=model_try(model_load(CNN, tmp_path, "fp32"), "tiny-cnn"))
    found = []
    with contextlib.closing(Nursery()) as nursery:
        for one in (nursery, None):
            findings = sweep_measure(Bench(case=case(size=64), assets=assets, nursery=one))
            found += [row.value for row in findings.measurements if row.metric == "host_peak_memory"]
    assert abs(found[0] - found[1]) < metric_get("host_peak_memory").grain


def test_a_file_has_the_sizes_it_was_made_with(tmp_path):
    assets = Assets(ModelSource(kind="onnx", ref="model.onnx"), tmp_path, "fp32", "cpu", 1)
    with pytest.raises(CannotRun, match="sizes were fixed"):
        sweep_measure(Bench(case=case(), assets=assets))


def test_the_sizes():
    assert sizes_of(case(), "pixels", 224) == (224, 384, 512, 768, 1024, 2160)
    assert sizes_of(case(largest_size=600), "pixels", 224) == (224, 384, 512)
    assert sizes_of(case(), "pixels", 32) == (32, 64, 128, 256, 512, 1024, 2048)
    assert sizes_of(case(largest_size=1024), "tokens", 128) == (128, 256, 512, 1024)
    assert sizes_of(case(largest_size=100), "tokens", 32) == (32, 64)
    assert sizes_of(case(size=300), "tokens", 32) == (300,)
    with pytest.raises(CannotRun, match="below the first size"):
        sizes_of(case(largest_size=16), "tokens", 32)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelError("m: forward raised OutOfMemoryError: CUDA out of memory. Tried ..."), "out-of-memory"),
        (
            RuntimeError("BFCArena::AllocateRawInternal Failed to allocate memory for requested"),
            "out-of-memory",
        ),
        (MeasureError("the child process that measured ended with exit code -9, without"), "out-of-memory"),
        (RuntimeError("Available memory of 9 is smaller than requested bytes of 99"), "out-of-memory"),
        (MemoryError(), "out-of-memory"),
        (ModelError("m: forward raised IndexError: index out of range in self"), "model-limit"),
        (ExportError("the model does not export to ONNX"), "model-limit"),
        (MeasureError("the child process that measured ended with exit code -11, without"), None),
        (ZeroDivisionError("a fault of our own"), None),
    ],
)
def test_what_ends_a_sweep_and_what_is_a_fault(error, code):
    end = end_of(error)
    assert (end and end.code) == code
