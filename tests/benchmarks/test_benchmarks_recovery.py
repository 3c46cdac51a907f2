"""A server that is killed under load: the time to a good answer, and nothing left behind."""

import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotRun, MeasureError
from benchmarks.runners.base import Assets
from benchmarks.serving.child import child_start
from benchmarks.session import measure
from benchmarks.suites.base import Bench
from benchmarks.suites.recovery import KILLS, WAITING_MOST, is_same, load_send, recovery_measure

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


EMPTY = """
import torch

class Empty(torch.nn.Module):
    def forward(self, x):
        return x[:, :0]

def build():
    return Empty(), torch.ones(1, 4)
"""


def case(runner: str = "onnxruntime") -> Case:
    return Case(model="m", runner=runner, suite="recovery", duration_s=0.5)


@pytest.mark.usefixtures("leaves_no_process")
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
    (told,) = [remark.sentence for remark in report.remarks if remark.code == "requests-failed"]
    lost, refused = counts_of(told)
    assert lost >= time.n, "each was killed with a request in its hands"
    assert refused >= 1


def counts_of(sentence: str) -> tuple[int, int]:
    numbers = [int(word) for word in sentence.replace(",", "").split() if word.isdigit()]
    return numbers[1], numbers[2]


@pytest.mark.usefixtures("leaves_no_process")
def test_answers_that_changed_are_no_recovery_and_nothing_is_left(tmp_path):
    (tmp_path / "model.py").write_text(CHANGING)
    source = ModelSource(kind="entry", ref="model.py:build")
    bench = Bench(case("torch"), Assets(source, tmp_path, "fp32", "cpu", threads=1))
    with pytest.raises(MeasureError, match="differ from those before"):
        recovery_measure(bench)


@pytest.mark.usefixtures("leaves_no_process")
def test_outputs_without_values_are_refused(tmp_path):
    """Any two of them are alike, and what a server answers after a kill could not be judged."""
    (tmp_path / "model.py").write_text(EMPTY)
    source = ModelSource(kind="entry", ref="model.py:build")
    bench = Bench(case("torch"), Assets(source, tmp_path, "fp32", "cpu", threads=1))
    with pytest.raises(MeasureError, match="hold no values"):
        recovery_measure(bench)


@contextmanager
def slowing_open(fast_s: float, slow_s: float, size: int):
    """In a child: `size` bytes an answer, which take longer from the tenth on."""
    count = 0

    def answer(_request: object) -> bytes:
        nonlocal count
        count += 1
        time.sleep(fast_s if count < 10 else slow_s)
        return bytes(size)

    yield answer


@contextmanager
def slowing(*arguments):
    child = child_start(slowing_open, *arguments)
    watchdog = threading.Timer(120.0, child.process.kill)  # else a deadlock would never end
    watchdog.start()
    try:
        child.send(None)
        child.receive(120.0)
        yield child
    finally:
        watchdog.cancel()
        child.kill()
        child.pipe.close()


def test_a_server_that_slows_under_load_blocks_nobody():
    """Answers larger than the socket's buffer, and more requests than it holds: both ends could block."""
    begun = time.perf_counter()
    with slowing(0.001, 0.02, 2**20) as child:
        waiting, refused = load_send(child, 1.5, 0.002)
    assert time.perf_counter() - begun < 100
    assert 1 <= waiting <= WAITING_MOST
    assert refused > 750 / 2, "it answers fifty a second of five hundred"


def test_a_server_that_keeps_up_refuses_nobody():
    with slowing(0.001, 0.001, 16) as child:
        waiting, refused = load_send(child, 0.5, 0.02)
    assert (refused, waiting <= 2) == (0, True)


@pytest.mark.usefixtures("leaves_no_process")
def test_a_child_that_hangs_is_an_error_not_a_wait(monkeypatch):
    monkeypatch.setattr("benchmarks.serving.child.STUCK_MOST_S", 0.3)
    with slowing(0.0, 0.0, 16) as child:
        os.kill(child.process.pid, signal.SIGSTOP)
        with pytest.raises(MeasureError, match="full queue"):
            child.send(bytes(2**24))
    with slowing(0.0, 0.0, 2**24) as child:
        child.send(None)
        assert child.pipe.poll(120.0)  # it has begun, and sixteen megabytes are more than fit
        os.kill(child.process.pid, signal.SIGSTOP)
        with pytest.raises(MeasureError, match="midst of an answer"):
            child.receive(120.0)
    with slowing(0.0, 0.0, 2**24) as child:
        child.send(None)
        assert child.pipe.poll(120.0)
        child.kill()
        with pytest.raises(MeasureError, match="exit code -9"):
            child.receive(120.0)


@pytest.mark.usefixtures("leaves_no_process")
def test_a_server_that_cannot_load_is_a_skip_and_nothing_is_left():
    bench = Bench(case(), Assets(CNN, Path(), "fp32", "cpu", threads=1))
    with pytest.raises(CannotRun, match="ONNX file"):
        recovery_measure(bench)


def test_what_counts_as_the_same_answer():
    good = (np.asarray([1.0, -4.0], np.float32), np.asarray([3, 5]))
    assert is_same(good, (good[0] + 0.03, good[1]))
    assert not is_same(good, (good[0] + 0.05, good[1]))
    assert not is_same(good, (good[0], np.asarray([3, 6])))
    assert not is_same(good, good[:1])
    assert not is_same((), ())
    assert not is_same((good[0][:0],), (good[0][:0],))
    assert not is_same(good, (good[0][:1], good[1]))
    assert not is_same(good, (np.asarray([np.nan, -4.0], np.float32), good[1]))
