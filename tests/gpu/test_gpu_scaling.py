"""Scaling on real NVIDIA GPUs: with one what one can do, with two the whole."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import Case, ModelSource

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]
two = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two NVIDIA GPUs on this machine")

DECODER = ModelSource(kind="catalogue", ref="tiny-decoder")


def job(tmp_path, **options):
    from benchmarks.session import measure

    one = Case(
        model="tiny-decoder",
        runner="torch",
        precision="fp16",
        batch=4,
        suite="scaling",
        duration_s=2.0,
        options=options,
    )
    return measure(
        DECODER,
        model="tiny-decoder",
        precision="fp16",
        cases=[one],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *_: None,
        canary=False,
    )


def found(report) -> dict[tuple[str, str, int], float]:
    return {
        (one.metric, dict(one.case.options)["mode"], dict(one.case.options)["gpus"]): one.value
        for one in report.measurements
        if "mode" in dict(one.case.options)
    }


@pytest.mark.parametrize("mode", ["replicas", "tensor", "pipeline"])
def test_one_gpu_runs_each_mode(mode, tmp_path):
    report = job(tmp_path, gpus=1, mode=mode)
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    assert found(report)["throughput", mode, 1] > 10
    assert [remark.sentence for remark in report.remarks if remark.code == "no-graph"] == []


@two
def test_two_gpus_give_one_gpus_answer():
    from benchmarks.models.source import model_load
    from benchmarks.parallel.ranks import ranks_run
    from benchmarks.parallel.sharded import shard_outputs
    from benchmarks.runners.base import Assets
    from benchmarks.suites.scaling import gpus_visible

    assets = Assets(DECODER, Path(), "fp32", "cuda", 2)
    model = model_load(assets.source, assets.checkout, "fp32")
    expected = model.module(*model.example).numpy().repeat(2, axis=0)
    together = ",".join(gpus_visible()[:2])
    _, answers = ranks_run(
        shard_outputs, ("tensor", "pipeline"), assets, 2, visible=[together] * 2, most_s=240
    )
    for mode in ("tensor", "pipeline"):
        assert np.allclose(answers[mode], expected, atol=1e-3), mode


@two
def test_two_gpus_are_measured_in_each_mode(tmp_path):
    report = job(tmp_path)
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    assert [remark.sentence for remark in report.remarks if remark.code == "point-failed"] == []
    values = found(report)
    assert 1.5 < values["scaling_speedup", "replicas", 2] < 2.2
    for mode in ("replicas", "tensor", "pipeline"):
        efficiency = values["scaling_efficiency", mode, 2]
        assert efficiency == pytest.approx(values["scaling_speedup", mode, 2] / 2)
