"""A repository's own metrics: measured of the runner in its precision, checked, and named."""

import re

import numpy as np
import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import ModelError
from benchmarks.session import measure
from benchmarks.suites.evaluate import numbers_checked

MODEL = """
import torch

class Pair(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 4)

    def forward(self, rows, factor):
        return torch.relu(self.linear(rows)) * factor, rows.sum(dim=1)

def build():
    return Pair(), (torch.randn(1, 8), torch.full((1, 4), 2.0))

def evaluate(model):
    torch.manual_seed(3)
    module, _ = reference()
    drift, seen = 0.0, 0
    for rows in (5, 5, 2):
        inputs = torch.randn(rows, 8), torch.full((rows, 4), 3.0)
        found, sums = model(inputs[0], factor=inputs[1])
        assert isinstance(found, torch.Tensor) and found.dtype == torch.float32
        expected, _ = module(*inputs)
        drift = max(drift, float((found - expected).abs().max()))
        assert (sums - inputs[0].sum(dim=1)).abs().max() < 0.05
        seen += len(found)
    return {"drift": drift, "seen": torch.tensor(seen), "luck": torch.rand(()).item()}

def reference():
    torch.manual_seed(0)
    return Pair().requires_grad_(False), None

def idle(model):
    return {"answer": 42}

def crooked(model):
    return {"shape": model(torch.randn(1, 9), torch.ones(1, 4))}

def raising(model):
    raise KeyError("labels")
"""


def evaluated(tmp_path, runner: str, precision: str = "fp32", function: str | None = "evaluate", lower=()):
    (tmp_path / "net.py").write_text(MODEL)
    where = None if function is None else f"net.py:{function}"
    return measure(
        ModelSource(kind="entry", ref="net.py:build", evaluate=where, evaluate_lower=lower),
        model="net",
        precision=precision,
        cases=[Case(model="net", runner=runner, precision=precision, suite="evaluate", duration_s=0.1)],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *words: None,
        device="cpu",
        canary=False,
    )


def values(report) -> dict[str, float]:
    return {row.metric: row.value for row in report.measurements if row.metric.startswith("evaluate.")}


@pytest.mark.parametrize("runner", ["torch", "onnxruntime"])
def test_the_metrics_are_those_of_the_runner_at_any_batch(tmp_path, runner):
    report = evaluated(tmp_path, runner, lower=("drift",))
    found = values(report)
    assert set(found) == {"evaluate.lower.drift", "evaluate.higher.seen", "evaluate.higher.luck"}
    assert found["evaluate.higher.seen"] == 12
    assert found["evaluate.lower.drift"] < 1e-5
    assert [outcome.status for outcome in report.outcomes] == ["done"]
    assert "model-not-called" not in {remark.code for remark in report.remarks}


def test_a_precision_shows_in_the_quality(tmp_path):
    half, single = (
        values(evaluated(tmp_path, "onnxruntime", precision))["evaluate.higher.drift"]
        for precision in ("fp16", "fp32")
    )
    assert single < 1e-5 < half


def test_what_it_draws_is_the_same_each_time(tmp_path):
    first, second = (values(evaluated(tmp_path, "torch"))["evaluate.higher.luck"] for _ in range(2))
    assert first == second


def test_without_a_function_the_case_says_how_to_add_one(tmp_path):
    report = evaluated(tmp_path, "torch", function=None)
    assert report.outcomes[0].status == "skipped"
    assert "evaluate = 'path/file.py:function'" in report.outcomes[0].reason


def test_numbers_that_do_not_come_from_the_model_are_doubted(tmp_path):
    report = evaluated(tmp_path, "torch", function="idle")
    assert values(report) == {"evaluate.higher.answer": 42}
    (remark,) = [remark for remark in report.remarks if remark.code == "model-not-called"]
    assert remark.unstable


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("missing", "has no function 'missing'"),
        ("raising", r"net.py:raising raised KeyError: 'labels'"),
        ("crooked", r"input 0 of shape \[1, 9\]; it takes \['batch', 8\]"),
    ],
)
def test_a_mistake_of_the_function_fails_its_case_and_is_told(tmp_path, function, words):
    (outcome,) = evaluated(tmp_path, "torch", function=function).outcomes
    assert outcome.status == "failed"
    assert re.search(words, outcome.reason), outcome.reason


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (0.5, "must return a dict of names and numbers, not float"),
        ({}, "1 to 50 numbers, not 0"),
        ({f"m{number}": 1 for number in range(51)}, "1 to 50 numbers, not 51"),
        ({"top 1": 1.0}, "cannot name a metric"),
        ({3.5: 1.0}, "cannot name a metric"),
        ({"bleu": "high"}, "'bleu' is 'high', not a finite number"),
        ({"bleu": float("nan")}, "not a finite number"),
        ({"bleu": True}, "not a finite number"),
        ({"bleu": None}, "not a finite number"),
        ({"bleu": np.ones(3)}, "holds several numbers"),
        (
            {"rouge": 1.0},
            "evaluate_lower names bleu, which net.py:evaluate did not return; it returned rouge",
        ),
    ],
)
def test_each_wrong_answer_is_told(returned, words):
    source = ModelSource(
        kind="entry", ref="net.py:build", evaluate="net.py:evaluate", evaluate_lower=("bleu",)
    )
    with pytest.raises(ModelError, match=words):
        numbers_checked(returned, source)


def test_numbers_of_numpy_are_numbers():
    source = ModelSource(kind="entry", ref="net.py:build", evaluate="net.py:evaluate")
    assert numbers_checked({"a": np.float32(0.5), "b": np.int64(3), "c": np.array([2.0])}, source) == {
        "a": 0.5,
        "b": 3.0,
        "c": 2.0,
    }
