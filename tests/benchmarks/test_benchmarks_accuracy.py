"""Drift against fp32: exact on the reference, ordered by precision, told when it cannot be."""

import numpy as np
import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import MeasureError
from benchmarks.quantization.samples import inputs_seeded
from benchmarks.session import measure
from benchmarks.suites.accuracy import cosine_distance, drift

BERT = ModelSource(kind="catalogue", ref="tiny-bert")
MODEL = """
import torch

class Scaled(torch.nn.Module):
    def forward(self, rows):
        return rows * {factor}

def build():
    return Scaled(), torch.randn(1, 8)
"""


def job(source: ModelSource, tmp_path, *runners: str, precision: str = "fp32", batch: int = 2):
    return measure(
        source,
        model="m",
        precision=precision,
        cases=[
            Case(model="m", runner=runner, precision=precision, suite="accuracy", batch=batch, duration_s=0.1)
            for runner in runners
        ],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *words: None,
        device="cpu",
        canary=False,
    )


def of_runner(report, runner: str) -> dict[str, float]:
    return {
        row.metric.removeprefix("accuracy_"): row.value
        for row in report.measurements
        if row.case.runner == runner and row.metric.startswith("accuracy_")
    }


@pytest.fixture(scope="module")
def by_precision(tmp_path_factory):
    folders = {name: tmp_path_factory.mktemp(name) for name in ("fp32", "fp16", "int8")}
    return {
        name: (job(BERT, folder, "torch", "onnxruntime", precision=name), folder)
        for name, folder in folders.items()
    }


def test_the_reference_itself_drifts_by_nothing_and_says_so(by_precision):
    report, _ = by_precision["fp32"]
    assert of_runner(report, "torch") == {"cosine_distance": 0.0, "max_abs": 0.0, "top1": 1.0}
    (remark,) = [remark for remark in report.remarks if remark.code == "is-reference"]
    assert remark.case is not None
    assert remark.case.runner == "torch"


def test_the_coarser_the_precision_the_larger_the_drift(by_precision):
    drifts = {
        name: of_runner(report, "onnxruntime")["cosine_distance"]
        for name, (report, _) in by_precision.items()
    }
    assert 0 < drifts["fp32"] < 1e-12 < drifts["fp16"] < 1e-6 < drifts["int8"] < 1e-2


def test_every_number_is_within_its_bounds(by_precision):
    for report, _ in by_precision.values():
        for row in report.measurements:
            if row.metric == "accuracy_top1":
                assert 0.9 <= row.value <= 1
            if row.metric == "accuracy_max_abs":
                assert row.value < 1
            if row.metric.startswith("accuracy_"):
                assert row.n == 4


def test_the_same_inputs_give_the_same_drift(by_precision, tmp_path):
    report, _ = by_precision["fp16"]
    again = job(BERT, tmp_path, "onnxruntime", precision="fp16")
    assert of_runner(again, "onnxruntime") == of_runner(report, "onnxruntime")


def test_an_onnx_file_is_its_own_reference(by_precision):
    _, folder = by_precision["fp32"]
    source = ModelSource(kind="onnx", ref="work/model-fp32.onnx")
    report = measure(
        source,
        model="m",
        precision="fp32",
        cases=[Case(model="m", runner="onnxruntime", suite="accuracy", duration_s=0.1)],
        checkout=folder,
        workdir=folder / "again",
        on_progress=lambda *words: None,
        device="cpu",
        canary=False,
    )
    assert of_runner(report, "onnxruntime") == {"cosine_distance": 0.0, "max_abs": 0.0, "top1": 1.0}
    assert "is-reference" in {remark.code for remark in report.remarks}


def test_an_overflow_is_told_as_one(tmp_path):
    (tmp_path / "net.py").write_text(MODEL.format(factor="65504 * 8"))
    source = ModelSource(kind="entry", ref="net.py:build")
    report = job(source, tmp_path, "torch", precision="fp16")
    (outcome,) = report.outcomes
    assert outcome.status == "failed"
    assert "the precision overflows" in outcome.reason


def test_cosine_distances_of_known_vectors():
    assert cosine_distance(np.array([1.0, 0.0]), np.array([0.0, 3.0])) == pytest.approx(1.0)
    assert cosine_distance(np.array([1.0, 0.0]), np.array([-2.0, 0.0])) == pytest.approx(2.0)
    assert cosine_distance(np.array([0.3, 0.7]), np.array([0.3, 0.7])) == 0.0
    assert cosine_distance(np.zeros(3), np.zeros(3)) == 0.0
    assert cosine_distance(np.zeros(3), np.ones(3)) == 1.0
    small = 1e-7  # 1 - cosine in doubles would be lost: cos(1e-7) is 1 - 5e-15
    assert cosine_distance(np.array([1.0, 0.0]), np.array([np.cos(small), np.sin(small)])) == pytest.approx(
        small**2 / 2, rel=1e-6
    )


def test_a_drift_of_known_arrays():
    expected = (np.array([[1.0, 2.0, -np.inf], [4.0, 3.0, -np.inf]]),)
    found = (np.array([[1.0, 2.5, -7.0], [3.0, 3.5, -np.inf]]),)
    got = drift(found, expected, where="here")
    assert (got.max_abs, got.top1) == (1.0, 0.5)
    assert drift((np.ones(3),), (np.ones(3),), where="here").top1 is None
    assert drift((np.ones((3, 1)),), (np.ones((3, 1)),), where="here").top1 is None
    with pytest.raises(MeasureError, match="1 of 4 outputs are infinite or no numbers"):
        drift((np.array([[1.0, np.nan, 0.0], [1.0, 1.0, 0.0]]),), expected, where="here")
    with pytest.raises(MeasureError, match="hold no finite number"):
        drift((np.ones(2),), (np.full(2, np.nan),), where="here")


def test_seeded_inputs_stay_near_the_example():
    images = np.random.default_rng(0).standard_normal((1, 3, 4, 4)).astype(np.float16)
    tokens = np.arange(10, dtype=np.int64)[None]
    mask = np.where(np.arange(10) < 6, 1, 0)[None]
    constant = np.ones((1, 5), dtype=np.float32)
    made = inputs_seeded((images, tokens, mask, constant), batch=3, count=2, seed=7)
    again = inputs_seeded((images, tokens, mask, constant), batch=3, count=2, seed=7)
    other = inputs_seeded((images, tokens, mask, constant), batch=3, count=2, seed=8)
    for batch, same in zip(made, again, strict=True):
        assert all(np.array_equal(one, two) for one, two in zip(batch, same, strict=True))
    assert not np.array_equal(made[0][0], other[0][0])
    assert not np.array_equal(made[0][0], made[1][0])
    noisy, ids, masks, still = made[0]
    assert noisy.dtype == np.float16
    assert noisy.shape == (3, 3, 4, 4)
    assert np.abs(noisy - images).max() > 0.1
    assert [sorted(row) for row in ids.tolist()] == [list(range(10))] * 3
    assert ids[0].tolist() != ids[1].tolist()
    assert np.array_equal(ids < 6, masks == 1), "ids and their mask are moved together"
    assert np.array_equal(still, np.ones((3, 5)))
