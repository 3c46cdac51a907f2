"""Copies of one model at once, and two models that share the device: real models, real processes."""

import os
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotRun, MeasureError
from benchmarks.runners.base import Assets, Runner
from benchmarks.serving.child import child_start, children_open
from benchmarks.session import measure
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.concurrency import concurrency_measure, copy_open
from benchmarks.suites.mixed import OTHER, THIS, Round, order_make, other_choose, point_add

IMAGE = (np.zeros((1, 3, 8, 8), np.float32),)
TEXT = (np.zeros((1, 8), np.int64), np.ones((1, 8), np.int64))


def assets(example=IMAGE, device: str = "cpu", ref: str = "tiny-cnn") -> Assets:
    return Assets(ModelSource(kind="catalogue", ref=ref), Path(), "fp32", device, threads=1, example=example)


def bench(suite: str, own: Assets | None = None, **options) -> Bench:
    case = Case(model="m", runner="onnxruntime", suite=suite, duration_s=0.2, options=options)
    return Bench(case, own or assets())


@pytest.fixture(scope="module")
def onnx(tmp_path_factory) -> Path:
    """`tiny-cnn` as a file, which the children load without torch."""
    from benchmarks.export import model_export
    from benchmarks.models.source import model_load

    folder = tmp_path_factory.mktemp("onnx")
    source = ModelSource(kind="catalogue", ref="tiny-cnn")
    return model_export(model_load(source, folder, "fp32"), folder / "m.onnx").onnx.path


def measured(onnx: Path, tmp_path: Path, *cases: Case):
    report = measure(
        ModelSource(kind="onnx", ref=onnx.name), model="m", precision="fp32", cases=cases,
        checkout=onnx.parent, workdir=tmp_path / "work", on_progress=lambda *_: None, canary=False,
    )  # fmt: skip
    assert [(outcome.status, outcome.reason) for outcome in report.outcomes] == [("done", "")] * len(cases)
    return {(one.case.shape, one.metric): one for one in report.measurements}


def test_copies_in_threads_are_points(onnx, tmp_path):
    case = Case(model="m", runner="onnxruntime", suite="concurrency", batch=2, duration_s=0.3)
    table = measured(onnx, tmp_path, case)
    assert {shape for shape, metric in table if metric.startswith("concurrency")} == {
        "b2,streams=1",
        "b2,streams=2",
        "b2,streams=4",
    }
    assert table["b2,streams=1", "concurrency_slowdown"].value == 1.0
    assert table["b2,streams=4", "concurrency_slowdown"].value > 0.5
    one, four = (table[f"b2,streams={count}", "concurrency_throughput"].value for count in (1, 4))
    assert one > 0
    # what four bring together is what one brings, four times, each slowed down
    slowdown = table["b2,streams=4", "concurrency_slowdown"].value
    assert four == pytest.approx(4 * one / slowdown, rel=0.7)


@pytest.mark.usefixtures("leaves_no_process")
def test_copies_in_processes_come_and_go(onnx, tmp_path):
    case = Case(
        model="m",
        runner="onnxruntime",
        suite="concurrency",
        duration_s=0.2,
        options={"streams": 2, "processes": True},
    )
    table = measured(onnx, tmp_path, case)
    assert {metric for _, metric in table} == {
        "concurrency_slowdown",
        "concurrency_throughput",
        "cpu_utilisation",
    }
    assert table[case.shape, "concurrency_throughput"].value > 0


class Threaded(Runner):
    """A runner as on a GPU, of which every step is noted: its copy, what, in which thread, from and to."""

    name = "onnxruntime"
    stream = object()

    def __init__(self, own: Assets, steps: list[tuple]) -> None:
        super().__init__(own)
        self.steps = steps

    def step(self, what: str) -> None:
        begun = time.perf_counter()
        time.sleep(0.005)
        self.steps.append((self, what, threading.get_ident(), begun, time.perf_counter()))

    def load(self) -> None:
        self.step("load")

    def bind(self, batch: int) -> None:
        self.step("bind")

    def capture(self) -> None:
        self.step("capture")

    def feed(self, arrays: tuple[np.ndarray, ...]) -> None: ...

    def infer(self) -> None:
        self.step("infer")

    def outputs(self) -> tuple[np.ndarray, ...]:
        return ()

    def close(self) -> None:
        self.step("close")


def test_each_copy_lives_in_a_thread_of_its_own_and_records_there_alone(monkeypatch):
    """onnxruntime keeps a CUDA graph for the thread that recorded it, and no two may record at once."""
    steps: list[tuple] = []
    monkeypatch.setattr("benchmarks.suites.concurrency.runner_open", lambda name, own: Threaded(own, steps))
    concurrency_measure(bench("concurrency", streams=4))
    threads = {copy: {thread for one, _, thread, _, _ in steps if one is copy} for copy, *_ in steps}
    assert [len(own) for own in threads.values()] == [1] * 4
    assert len(set.union(*threads.values()) - {threading.get_ident()}) == 4
    ready = [one for one in sorted(steps, key=lambda one: one[3]) if one[1] != "close"][: 4 * 6]
    assert [what for _, what, *_ in ready] == ["load", "bind", "capture", *["infer"] * 3] * 4
    assert all(before[4] <= after[3] for before, after in pairwise(ready))
    assert [what for _, what, *_ in steps].count("close") == 4


def test_a_copy_that_fails_to_record_closes_all_of_them(monkeypatch):
    steps: list[tuple] = []

    class Failing(Threaded):
        def capture(self) -> None:
            super().capture()
            if len({copy for copy, *_ in self.steps}) == 3:
                raise RuntimeError("the third")

    monkeypatch.setattr("benchmarks.suites.concurrency.runner_open", lambda name, own: Failing(own, steps))
    with pytest.raises(RuntimeError, match="the third"):
        concurrency_measure(bench("concurrency", streams=4))
    assert len({copy for copy, what, *_ in steps if what == "close"}) == 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")]


@pytest.mark.usefixtures("leaves_no_process")
def test_a_copy_that_cannot_load_is_told_and_leaves_nothing():
    with pytest.raises(CannotRun, match="ONNX file"):
        concurrency_measure(bench("concurrency", streams=2, processes=True))


@pytest.mark.usefixtures("leaves_no_process")
def test_a_child_that_dies_is_an_error_not_a_wait():
    child = child_start(copy_open, "not what it takes")
    try:
        with pytest.raises(TypeError):
            child.receive(60.0)
    finally:
        child.kill()
        child.pipe.close()
    with children_open(1, copy_open, "not what it takes") as (killed,):
        killed.kill()
        with pytest.raises(MeasureError, match="exit code -9"):
            killed.receive(60.0)


def test_the_order_of_a_burst():
    burst = order_make("fifo", (assets(IMAGE), assets(TEXT)))
    assert sorted(burst) == [THIS] * 8 + [OTHER] * 8
    assert burst not in (sorted(burst), sorted(burst, reverse=True))
    assert burst == order_make("fifo", (assets(TEXT), assets(IMAGE))), "the same in every build"
    text_first = [OTHER] * 8 + [THIS] * 8
    assert order_make("priority", (assets(IMAGE), assets(TEXT))) == text_first
    assert order_make("priority", (assets(TEXT), assets(IMAGE))) == text_first[::-1]
    assert order_make("priority", (assets(IMAGE), assets(IMAGE))) == text_first[::-1]


def test_the_other_model_is_of_the_other_kind_and_of_like_size():
    assert other_choose(bench("mixed")) == "tiny-bert"
    assert other_choose(bench("mixed", assets(TEXT, ref="tiny-bert"))) == "tiny-cnn"
    assert other_choose(bench("mixed", assets(IMAGE, "cuda"))) == "tiny-bert"
    assert other_choose(bench("mixed", assets(IMAGE, "cuda", "resnet152"))) == "bert-base"
    assert other_choose(bench("mixed", assets(TEXT, "cuda", "bert-base"))) == "resnet50"
    assert other_choose(bench("mixed", assets(IMAGE, ref="resnet50"))) == "tiny-bert", "no GPU here"
    assert other_choose(bench("mixed", other="tiny-clip")) == "tiny-clip"
    with pytest.raises(CannotRun, match="tiny-cnn"):
        other_choose(bench("mixed", other="no-such-model"))


def test_what_a_burst_tells():
    """One second a request of this model, two of the other; the burst is this, other, this, and so on."""
    order = np.asarray([THIS, OTHER] * 8)
    alone = (np.arange(1, 9) * 1.0, np.arange(1, 9) * 2.0)
    mixed = np.cumsum(np.where(order == THIS, 1.0, 2.0)) + 0.5
    findings = Findings(bench("mixed").case)
    point_add(findings, [Round(alone, {"fifo": mixed})] * 5, "fifo", order)
    table = {one.metric: one.value for one in findings.measurements}
    assert table["mixed_completion_time"] == 24.5
    assert table["mixed_overhead"] == pytest.approx(0.5)
    # the middle of this model's answers: 4.5 alone, 12 in the mix; of the other's 9 and 14
    assert table["mixed_slowdown"] == pytest.approx(12.0 / 4.5)
    assert table["mixed_slowdown_other"] == pytest.approx(14.0 / 9.0)


@pytest.fixture
def one_core():
    """Of threads that wait for each other on busy cores nothing can be told in a second."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


def test_two_models_share_the_processor(tmp_path, one_core):
    source = ModelSource(kind="catalogue", ref="tiny-cnn")
    case = Case(model="tiny-cnn", runner="torch", suite="mixed", duration_s=1.0)
    report = measure(
        source, model="tiny-cnn", precision="fp32", cases=[case], checkout=tmp_path,
        workdir=tmp_path / "work", on_progress=lambda *_: None, canary=False,
    )  # fmt: skip
    assert [(outcome.status, outcome.reason) for outcome in report.outcomes] == [("done", "")]
    table = {(one.case.shape, one.metric): one for one in report.measurements}
    points = {shape for shape, metric in table if metric.startswith("mixed")}
    assert points == {"b1,policy=fifo", "b1,policy=priority"}
    fifo, first = (
        {metric: one.value for (shape, metric), one in table.items() if shape == point}
        for point in sorted(points)
    )
    assert fifo.keys() == {
        "mixed_completion_time",
        "mixed_overhead",
        "mixed_slowdown",
        "mixed_slowdown_other",
    }
    # the text goes first, so that sharing costs the images more than the text
    assert first["mixed_slowdown"] > first["mixed_slowdown_other"]
