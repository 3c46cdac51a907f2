"""Scaling: parts that work together give the whole's answer, and one that dies leaves none behind."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotRun, MeasureError, ModelError
from benchmarks.parallel.ranks import Rank, ranks_run
from benchmarks.parallel.window import Timeline, common_rates
from benchmarks.runners.base import Assets
from benchmarks.suites.base import Bench
from benchmarks.suites.scaling import (
    Point,
    gpus_visible,
    point_measure,
    points_of,
    scaling_measure,
    speedup_of,
)

DECODER = ModelSource(kind="catalogue", ref="tiny-decoder")


def case(runner: str = "torch", batch: int = 2, **options) -> Case:
    return Case(model="m", runner=runner, suite="scaling", batch=batch, duration_s=0.3, options=options)


def assets_of(ref: str = "tiny-decoder") -> Assets:
    return Assets(ModelSource(kind="catalogue", ref=ref), Path(), "fp32", "cpu", 2)


# --- processes; these functions run in interpreters of their own --------------------------------------


def devices_told(rank: Rank, name: str) -> tuple[int, str | None, str | None]:
    rank.meet("here", 20)
    return rank.number, os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get(name)


def second_dies(rank: Rank) -> None:
    if rank.number == 1:
        os._exit(3)
    rank.meet("never", 600)


def second_raises(rank: Rank) -> None:
    if rank.number == 1:
        raise ModelError("the second one's own fault")
    time.sleep(600)


def sleeps(rank: Rank) -> None:
    time.sleep(600)


def test_each_process_sees_its_gpus_and_every_other_variable(monkeypatch):
    monkeypatch.setenv("NCCL_NVLS_ENABLE", "0")
    found = ranks_run(devices_told, "NCCL_NVLS_ENABLE", visible=["GPU-a", "1,2", None], most_s=60)
    assert found == [
        (0, "GPU-a", "0"),
        (1, "1,2", "0"),
        (2, os.environ.get("CUDA_VISIBLE_DEVICES"), "0"),
    ]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (second_dies, MeasureError, "ended with exit code 3"),
        (second_raises, ModelError, "the second one's own fault"),
    ],
)
@pytest.mark.usefixtures("leaves_no_process")
def test_when_one_fails_the_others_end_and_its_fault_is_told(call, error, words):
    started = time.monotonic()
    with pytest.raises(error, match=words):
        ranks_run(call, visible=[None, None], most_s=600)
    assert time.monotonic() - started < 200, "nobody waited for the other's time to end"


@pytest.mark.usefixtures("leaves_no_process")
def test_the_time_ends_for_all():
    with pytest.raises(MeasureError, match="not done after 1 s"):
        ranks_run(sleeps, visible=[None], most_s=1.0)


def test_a_meeting_names_who_did_not_come(tmp_path):
    with pytest.raises(MeasureError, match="process 1 of 2 did not come"):
        Rank(0, 2, tmp_path).meet("start", 0.01)


# --- rates ---------------------------------------------------------------------------------------------


def timeline(begin_s: float, end_s: float, each: int, marks: int) -> Timeline:
    return Timeline((np.linspace(begin_s, end_s, marks + 1) * 1e9).astype(np.int64), each)


def test_only_the_common_time_counts():
    fast, slow = timeline(0.0, 10.0, 5, 100), timeline(1.0, 11.0, 2, 50)  # 50 and 10 a second
    rates = common_rates([fast, slow])
    assert rates.shape == (20,)
    assert np.allclose(rates, 60)


def test_processes_that_hardly_met_are_a_fault():
    with pytest.raises(MeasureError, match=r"at the same time for 0\.50 s of 2\.00 s only"):
        common_rates([timeline(0.0, 2.0, 1, 10), timeline(1.5, 3.5, 1, 10)])


def test_the_speedups_bounds_hold_both_intervals():
    generator = np.random.default_rng(0)
    two, one = generator.normal(190, 2, 20), generator.normal(100, 1, 20)
    speedup = speedup_of(two, one)
    assert speedup.value == pytest.approx(1.9, rel=0.01)
    assert speedup.low < speedup.value < speedup.high < speedup.value * 1.05


# --- points --------------------------------------------------------------------------------------------


def test_the_points_of_three_gpus():
    found = [(point.gpus, point.mode) for point in points_of(case(), 3)]
    assert found == [
        (1, "replicas"),
        *((count, mode) for count in (2, 3) for mode in ("replicas", "tensor", "pipeline")),
    ]
    assert {point.mode for point in points_of(case("onnxruntime"), 4)} == {"replicas"}
    assert points_of(case(gpus=2, mode="tensor"), 8) == (Point(2, "tensor"),)
    assert [point.gpus for point in points_of(case(mode="tensor"), 8)] == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (case(gpus=4), "4 GPUs were asked for, and this process may use 2"),
        (case("onnxruntime", mode="tensor"), "mode=tensor needs the runner torch"),
    ],
)
def test_what_cannot_be_measured_is_told(one, words):
    with pytest.raises(CannotRun, match=words):
        points_of(one, 2)


def test_without_a_gpu_nothing_scales():
    with pytest.raises(CannotRun, match="scaling counts GPUs; there is none"):
        scaling_measure(Bench(case=case(), assets=assets_of()))


def test_the_gpus_are_those_cuda_sees(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a, GPU-b")
    assert gpus_visible() == ("GPU-a", "GPU-b")


# --- models --------------------------------------------------------------------------------------------


def test_two_processes_give_one_processs_answer():
    from benchmarks.models.source import model_load
    from benchmarks.parallel.sharded import shard_outputs

    assets = assets_of()
    model = model_load(assets.source, assets.checkout, "fp32")
    expected = model.module(*model.example).numpy().repeat(2, axis=0)
    _, found = ranks_run(shard_outputs, ("tensor", "pipeline"), assets, 2, visible=[None, None], most_s=240)
    assert expected.std() > 0.1
    for mode in ("tensor", "pipeline"):
        assert np.allclose(found[mode], expected, atol=1e-5), mode


@pytest.mark.parametrize(("mode", "runner"), [("replicas", "onnxruntime"), ("pipeline", "torch")])
def test_the_group_is_measured(mode, runner, tmp_path):
    assets = assets_of()
    if runner == "onnxruntime":
        assets = exported(tmp_path)
    rates, no_graph = point_measure(case(runner), assets, Point(2, mode), [None, None], 0.3)
    assert rates.shape == (20,)
    assert np.median(rates) > 1
    assert no_graph == "", "there is no GPU that could have recorded one"


def exported(folder: Path) -> Assets:
    from benchmarks.export import model_export
    from benchmarks.models.source import model_load

    source = ModelSource(kind="catalogue", ref="tiny-cnn")
    model = model_load(source, folder, "fp32")
    onnx = model_export(model, folder / "model.onnx").onnx
    example = tuple(tensor.numpy() for tensor in model.example)
    return Assets(source, folder, "fp32", "cpu", 2, example=example, onnx=onnx)


def body(ref: str):
    import torch

    from benchmarks.models.catalogue import catalogue_build
    from benchmarks.parallel.layers import body_find

    with torch.device("meta"):
        module, _ = catalogue_build(ref)
    return body_find(module, ref)


def test_the_plan_cuts_each_matrix_of_each_layer():
    from benchmarks.parallel.layers import plan_matches, tensor_plan

    qwen = body("qwen2-1.5b")
    cut = plan_matches(tensor_plan(qwen, 2, "m"), qwen)
    assert len(cut) == 28 * 7
    with pytest.raises(CannotRun, match="2 heads of keys and values do not divide among 4 GPUs"):
        tensor_plan(qwen, 4, "m")


@pytest.mark.parametrize(
    ("ref", "words"),
    [("tiny-cnn", "is no decoder"), ("tiny-bert", "cannot be spread"), ("bart-large", "encoder")],
)
def test_what_cannot_be_spread_is_told(ref, words):
    with pytest.raises(CannotRun, match=words):
        body(ref)


def test_stages_share_the_layers():
    from benchmarks.parallel.layers import stage_layers, stages_check

    assert [list(stage_layers(5, 3, number)) for number in range(3)] == [[0, 1], [2, 3], [4]]
    with pytest.raises(CannotRun, match="28 layers are too few for 29 stages"):
        stages_check(body("qwen2-1.5b"), 29, "m")
