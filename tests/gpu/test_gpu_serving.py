"""Throughput, server, copies, two models and recovery on a real NVIDIA GPU."""

import numpy as np
import psutil
import pytest

from benchmarks.cases import Case, ModelSource

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]

# 16 GiB a row, taken and never touched: no GPU of 2026 holds sixteen of them
HUGE = """
import torch

class Huge(torch.nn.Module):
    def forward(self, x):
        room = torch.empty((x.shape[0], 2**32), device=x.device)
        return x + room[:, :1].mul_(0).nan_to_num_(0)

def build():
    return Huge(), torch.ones(1, 1)
"""


def measured(tmp_path, suite: str, source: ModelSource | None = None, runner: str = "torch", **more):
    from benchmarks.session import measure

    options = more.pop("options", {})
    case = Case(
        model="m", runner=runner, suite=suite, duration_s=more.pop("duration_s", 0.5), options=options, **more
    )
    report = measure(
        source or ModelSource(kind="catalogue", ref="tiny-cnn"),
        model="m",
        precision="fp32",
        cases=[case],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *_: None,
        canary=False,
        price_per_hour=2.0,
    )
    assert [(outcome.status, outcome.reason) for outcome in report.outcomes] == [("done", "")]
    table = {(one.case.shape, one.metric): one for one in report.measurements}
    return table, {remark.code: remark for remark in report.remarks}


def test_throughput_is_that_of_a_busy_gpu(tmp_path):
    """Against the seconds between events around replays of our own graph."""
    from benchmarks.gpu.events import launches_time
    from benchmarks.gpu.graphs import graph_capture
    from benchmarks.models.source import model_load

    table, remarks = measured(tmp_path, "throughput", batch=8)
    assert "no-graph" not in remarks
    source = ModelSource(kind="catalogue", ref="tiny-cnn")
    model = model_load(source, tmp_path, "fp32")
    module, rows = model.module.cuda(), model.example[0].repeat(8, 1, 1, 1).cuda()
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.inference_mode():
        captured = graph_capture(lambda: module(rows), stream)
    captured.replay()
    seconds = np.median(launches_time(captured.replay, stream, pairs=50, per_pair=200))
    assert table["b8", "throughput"].value == pytest.approx(8 / seconds, rel=0.1)
    assert table["b8", "cost_per_million_samples"].value > 0


def test_the_knee_rises_with_the_batch_on_a_gpu(tmp_path):
    table, _ = measured(tmp_path, "throughput", options={"largest_batch": 64})
    rates = [one.value for (_, metric), one in table.items() if metric == "throughput"]
    assert len(rates) == 7
    assert rates[-1] > 4 * rates[0]
    assert table["b1,largest_batch=64", "best_batch"].value >= 8
    assert table["b1,largest_batch=64", "throughput_best"].value == pytest.approx(max(rates))


def test_the_gpus_memory_ends_cleanly(tmp_path):
    (tmp_path / "model.py").write_text(HUGE)
    source = ModelSource(kind="entry", ref="model.py:build")
    table, remarks = measured(tmp_path, "throughput", source, options={"largest_batch": 16})
    ran = [shape for shape, metric in table if metric == "throughput"]
    assert ran[0] == "b1"
    assert "b16" not in ran
    assert f"b{2 * int(ran[-1][1:])}" == f"b{remarks['out-of-memory'].sentence.split(';')[0].split()[-1]}"


def test_a_server_with_and_without_batches(tmp_path):
    alone, remarks = measured(tmp_path, "server", options={"qps": 500.0}, duration_s=2.0)
    assert "overloaded" not in remarks
    point = alone["b1,qps=500", "server_latency_mean"]
    assert 0 < point.value < 0.05
    assert point.n >= 900
    together, _ = measured(
        tmp_path, "server", options={"qps": 2000.0, "max_batch": 8, "max_delay_ms": 2.0}, duration_s=1.0
    )
    batches = {metric: one.value for (_, metric), one in together.items()}
    assert 2 < batches["server_batch"] <= 8
    assert batches["server_error_rate"] == 0


def test_the_highest_rate_on_a_gpu(tmp_path):
    table, _ = measured(tmp_path, "server", options={"p99_bound_ms": 5.0})
    highest = table["b1,p99_bound_ms=5", "server_qps_highest"]
    assert highest.value > 100
    assert highest.ci_low <= highest.value <= highest.ci_high


@pytest.mark.parametrize("processes", [False, True])
@pytest.mark.parametrize(("runner", "streams"), [("torch", 2), ("onnxruntime", 4)])
def test_copies_on_one_gpu(tmp_path, runner, streams, processes):
    options = {"streams": streams, "processes": processes}
    table, remarks = measured(tmp_path, "concurrency", runner=runner, options=options)
    assert "no-graph" not in remarks
    values = {metric: one.value for (_, metric), one in table.items()}
    assert values["concurrency_throughput"] > 0
    assert 0.5 < values["concurrency_slowdown"] < 5 * streams
    assert psutil.Process().children() == []


def test_a_copy_of_onnxruntime_replays_in_its_thread_what_it_recorded_there(tmp_path):
    """A thread that records again would take some milliseconds for its first calls."""
    from benchmarks.export import model_export
    from benchmarks.models.source import model_load, model_try
    from benchmarks.runners.base import Assets
    from benchmarks.suites.base import Bench, Findings
    from benchmarks.suites.concurrency import _threads_open

    source = ModelSource(kind="catalogue", ref="tiny-cnn")
    model = model_load(source, tmp_path, "fp32")
    example = model_try(model, "tiny-cnn")
    onnx = model_export(model, tmp_path / "m.onnx").onnx
    bench = Bench(
        Case(model="m", runner="onnxruntime", suite="concurrency", duration_s=0.5),
        Assets(source, tmp_path, "fp32", "cuda", 1, example, onnx),
    )
    findings = Findings(bench.case)
    with _threads_open(bench, findings, 4) as together:
        first = together(4, 0.0)
        later = np.concatenate(together(4, 0.2))
    assert findings.remarks == []
    assert max(calls[0] for calls in first) < 20 * np.median(later) + 0.002


def test_a_single_launch_is_timed_without_the_hosts_turn():
    """A graph of one small kernel: launched one by one, the GPU waits for the host between the events."""
    from benchmarks.gpu.events import launches_time, spin_lead
    from benchmarks.gpu.graphs import graph_capture

    stream, values = torch.cuda.Stream(), torch.ones(1024, device="cuda")
    torch.cuda.synchronize()
    submit = graph_capture(lambda: values.mul_(1.0), stream).replay
    lead = spin_lead(submit, stream)
    assert 50e-6 <= lead.seconds <= 5e-3
    spun = launches_time(lead.enqueue, stream, pairs=50, per_pair=1)
    assert np.median(spun) == pytest.approx(lead.seconds, rel=0.3)
    starved = launches_time(submit, stream, pairs=500, per_pair=1)[10:]
    led = launches_time(submit, stream, pairs=500, per_pair=1, lead=lead)[10:]
    print("starved", np.quantile(starved, (0.5, 0.99)), "behind a spin", np.quantile(led, (0.5, 0.99)))
    assert np.median(led) <= np.median(starved)
    assert np.quantile(led, 0.99) < 2 * np.median(led)


def test_throughput_and_latency_agree_on_a_gpu(tmp_path):
    rate, _ = measured(tmp_path, "throughput", duration_s=1.0)
    latency, _ = measured(tmp_path, "latency", duration_s=1.0)
    seconds = latency["b1", "gpu_compute_time_p50"].value
    assert 1 / rate["b1", "throughput"].value == pytest.approx(seconds, rel=0.05)


def test_two_models_on_two_streams(tmp_path):
    table, _ = measured(tmp_path, "mixed")
    for policy in ("fifo", "priority"):
        point = {
            metric: one.value for (shape, metric), one in table.items() if shape == f"b1,policy={policy}"
        }
        assert point["mixed_completion_time"] > 0
        assert point["mixed_slowdown"] > 0.5
    # text first: it does as well as alone, the images wait for all of it
    first = {metric: one.value for (shape, metric), one in table.items() if shape == "b1,policy=priority"}
    assert first["mixed_slowdown_other"] == pytest.approx(1.0, abs=0.5)
    assert first["mixed_slowdown"] > 1.2


def test_lanes_in_turn_wait_for_each_other():
    from benchmarks.gpu.lanes import lanes_time

    matrix = torch.randn(4096, 4096, device="cuda")
    streams = [torch.cuda.Stream(), torch.cuda.Stream()]
    torch.cuda.synchronize()

    def work(stream):
        with torch.cuda.stream(stream):
            torch.mm(matrix, matrix)

    submits = [lambda: work(streams[0]), lambda: work(streams[1])]
    order = [0] * 4 + [1] * 4
    for _ in range(2):  # the first takes what libraries take once
        done = lanes_time(order, submits, streams, in_turn=True)
    assert (np.diff(done) > 0).all(), "the second stream begins when the first is done"
    one_by_one = lanes_time([0] * 8, submits, streams, in_turn=True)
    assert done[-1] == pytest.approx(one_by_one[-1], rel=0.2)


def test_a_killed_server_on_a_gpu_comes_back(tmp_path):
    table, remarks = measured(tmp_path, "recovery", duration_s=0.2)
    time = table["b1", "recovery_time"]
    assert time.n >= 3
    assert 0.1 < time.value < 120
    assert "wrong-answers" not in remarks
    assert psutil.Process().children() == []
