"""The GPU times reported here are those of triton's own benchmarking functions."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]

ROUNDS = 5


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    from benchmarks.cases import ModelSource
    from benchmarks.runners.base import Assets
    from benchmarks.runners.table import runner_open

    source = ModelSource(kind="catalogue", ref="resnet50")
    with runner_open(
        "torch", Assets(source, tmp_path_factory.mktemp("checkout"), "fp16", "cuda", 1)
    ) as opened:
        opened.bind(1)
        opened.capture()
        yield opened


def test_warm_time_is_that_of_do_bench_cudagraph(runner):
    from triton.testing import do_bench_cudagraph

    from benchmarks.gauge import NO_GAUGE
    from benchmarks.gpu.timing import gpu_time

    ratios = []
    for _ in range(ROUNDS):  # interleaved: a clock that moves meets both alike
        ours = float(np.median(gpu_time(runner, 0.5, NO_GAUGE).warm))
        with torch.inference_mode():
            theirs = do_bench_cudagraph(runner._call, rep=50, return_mode="median") * 1e-3
        ratios.append(ours / theirs)
    print("warm", ratios)
    assert abs(np.median(ratios) - 1) < 0.01, ratios


def test_cold_time_is_that_of_do_bench(runner):
    from triton.testing import do_bench

    from benchmarks.gpu.events import cold_launches_time

    ratios = []
    for _ in range(ROUNDS):
        ours = float(np.median(cold_launches_time(runner.submit, runner.stream, launches=200)))
        with torch.cuda.stream(runner.stream):
            theirs = do_bench(runner.submit, warmup=50, rep=200, return_mode="median") * 1e-3
        ratios.append(ours / theirs)
    print("cold", ratios)
    assert abs(np.median(ratios) - 1) < 0.01, ratios


def test_latency_suite_tells_the_gpus_time_and_the_hosts_apart(tmp_path):
    from benchmarks.cases import Case, ModelSource
    from benchmarks.session import measure

    report = measure(
        ModelSource(kind="catalogue", ref="tiny-bert"),
        model="tiny-bert",
        precision="fp16",
        cases=[Case(model="tiny-bert", runner="torch", precision="fp16", suite="latency", duration_s=0.5)],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *_: None,
    )
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    found = {one.metric: one.value for one in report.measurements}
    assert 0 < found["gpu_compute_time_p50"] <= found["latency_p50"] <= found["latency_with_copies_p50"]
    assert found["gpu_compute_time_p50"] < found["gpu_compute_time_cold_p50"]
    assert not [remark for remark in report.remarks if remark.code == "no-graph"]
    assert [reading.clock for reading in report.canary] == ["gpu", "gpu"]
    assert report.readings
    assert all(reading.values["sm_clock"] for reading in report.readings)
