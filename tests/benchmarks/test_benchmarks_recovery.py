"""A server that is killed under load: the time to a good answer, and nothing left behind."""

import subprocess
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotRun, MeasureError
from benchmarks.runners.base import Assets
from benchmarks.session import measure
from benchmarks.suites.base import Bench
from benchmarks.suites.recovery import KILLS, is_same, recovery_measure

CNN = ModelSource(kind="catalogue", ref="tiny-cnn")

CHANGING = """
import os
import torch

OWN = torch.tensor(list(os.urandom(4)))  # of this process alone

class Changing(torch.nn.Module):
    def forward(self, x):
        return x * OWN

def build():
    return Changing(), torch.ones(1, 4)
"""


def case(runner: str = "onnxruntime") -> Case:
    return Case(model="m", runner=runner, suite="recovery", duration_s=0.5)


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_the_time_from_the_kill_to_a_good_answer(tmp_path, monkeypatch):
    started: list[int] = []

    class Watched(subprocess.Popen):
        def __init__(self, *arguments, **more) -> None:
            super().__init__(*arguments, **more)
            started.append(self.pid)

    monkeypatch.setattr("benchmarks.serving.child.subprocess.Popen", Watched)
    report = measure(
        CNN, model="m", precision="fp32", cases=[case()], checkout=tmp_path, workdir=tmp_path / "work",
        on_progress=lambda *_: None, canary=False,
    )  # fmt: skip
    assert [(outcome.status, outcome.reason) for outcome in report.outcomes] == [("done", "")]
    (time,) = [one for one in report.measurements if one.metric == "recovery_time"]
    assert time.n >= KILLS
    assert time.ci_low <= time.value <= time.ci_high
    # an interpreter, onnxruntime and the model: not less than a tenth of a second, however fast the machine
    assert 0.1 < min(time.samples) <= max(time.samples) < 60
    assert len(started) == len(set(started)) == time.n + 1, "a new process after each kill"
    assert children() == []
    (told,) = [remark.sentence for remark in report.remarks if remark.code == "requests-failed"]
    lost, refused = counts_of(told)
    assert lost >= time.n, "each was killed with a request in its hands"
    assert refused >= 1


def counts_of(sentence: str) -> tuple[int, int]:
    numbers = [int(word) for word in sentence.replace(",", "").split() if word.isdigit()]
    return numbers[1], numbers[2]


def test_answers_that_changed_are_no_recovery_and_nothing_is_left(tmp_path):
    (tmp_path / "model.py").write_text(CHANGING)
    source = ModelSource(kind="entry", ref="model.py:build")
    bench = Bench(case("torch"), Assets(source, tmp_path, "fp32", "cpu", threads=1))
    with pytest.raises(MeasureError, match="differ from those before"):
        recovery_measure(bench)
    assert children() == []


def test_a_server_that_cannot_load_is_a_skip_and_nothing_is_left():
    bench = Bench(case(), Assets(CNN, Path(), "fp32", "cpu", threads=1))
    with pytest.raises(CannotRun, match="ONNX file"):
        recovery_measure(bench)
    assert children() == []


def test_what_counts_as_the_same_answer():
    good = (np.asarray([1.0, -4.0], np.float32), np.asarray([3, 5]))
    assert is_same(good, (good[0] + 0.03, good[1]))
    assert not is_same(good, (good[0] + 0.05, good[1]))
    assert not is_same(good, (good[0], np.asarray([3, 6])))
    assert not is_same(good, good[:1])
    assert not is_same(good, (good[0][:1], good[1]))
    assert not is_same(good, (np.asarray([np.nan, -4.0], np.float32), good[1]))
