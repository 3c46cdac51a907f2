"""ONNX Runtime's CUDA provider on a real GPU: fixed buffers, its own stream, graphs, refusals by name."""

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotCapture, CannotRun
from benchmarks.runners.base import Assets
from benchmarks.runners.table import runner_open

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Assets of a catalogue model in a precision, exported and quantized once."""
    from benchmarks.export import model_export
    from benchmarks.models.source import model_load, model_try
    from benchmarks.quantization.quantize import graph_quantize
    from benchmarks.quantization.recipes import RECIPES

    known: dict[tuple[str, str], Assets] = {}

    def make(name: str, precision: str = "fp32", **options) -> Assets:
        if (name, precision) not in known:
            folder = tmp_path_factory.mktemp(f"{name}-{precision}")
            source = ModelSource(kind="catalogue", ref=name)
            model = model_load(source, folder, precision)
            example = model_try(model, name)
            exported = model_export(model, folder / "base.onnx").onnx
            if precision in RECIPES:
                exported = graph_quantize(exported, example, precision, folder / "model.onnx").onnx
            known[name, precision] = Assets(source, folder, precision, "cuda", 1, example, exported)
        asked = known[name, precision]
        return Assets(
            asked.source,
            asked.checkout,
            precision,
            "cuda",
            1,
            asked.example,
            asked.onnx,
            options=tuple(sorted(options.items())),
        )

    return make


def on_the_cpu(assets: Assets, arrays) -> tuple[np.ndarray, ...]:
    plain = Assets(assets.source, assets.checkout, "fp32", "cpu", 1, assets.example, assets.onnx)
    with runner_open("onnxruntime", plain) as runner:
        runner.bind(arrays[0].shape[0])
        runner.feed(arrays)
        runner.infer()
        return runner.outputs()


def inputs(assets: Assets, batch: int, seed: int) -> tuple[np.ndarray, ...]:
    from benchmarks.quantization.samples import inputs_seeded

    return inputs_seeded(assets.example, batch=batch, count=1, seed=seed)[0]


@pytest.mark.parametrize("name", ["tiny-cnn", "tiny-bert", "tiny-decoder"])
def test_a_replayed_graph_computes_what_the_cpu_does(made, name):
    assets = made(name)
    with runner_open("onnxruntime", assets) as runner:
        runner.bind(2)
        runner.capture()
        assert runner.captured
        for seed in (1, 2):
            arrays = inputs(assets, 2, seed)
            runner.feed(arrays)
            runner.submit()
            for found, expected in zip(runner.outputs(), on_the_cpu(assets, arrays), strict=True):
                assert np.abs(found - expected).max() < 1e-3


def test_another_batch_is_bound_and_captured_anew(made):
    assets = made("tiny-bert")
    with runner_open("onnxruntime", assets) as runner:
        for batch in (1, 4, 4, 2):
            runner.bind(batch)
            assert not runner.captured
            runner.infer()
            plain = runner.outputs()
            runner.capture()
            runner.infer()
            assert runner.outputs()[0].shape == (batch, 32, 64)
            assert np.abs(runner.outputs()[0] - plain[0]).max() < 1e-5


@pytest.mark.parametrize("graph", [True, False])
def test_submit_does_not_wait(made, graph):
    with runner_open("onnxruntime", made("tiny-cnn", graph=graph)) as runner:
        runner.bind(1)
        if graph:
            runner.capture()
        runner.infer()
        with torch.cuda.stream(runner.stream):
            torch.cuda._sleep(2_000_000_000)  # cycles: about a second
        started = time.perf_counter()
        runner.submit()
        assert time.perf_counter() - started < 0.3
        assert not runner.stream.query(), "the GPU is still asleep"
        runner.wait()
        assert runner.stream.query()


def test_gpu_time_of_a_graph_is_steady(made):
    from benchmarks.gpu.events import launches_time

    with runner_open("onnxruntime", made("tiny-cnn")) as runner:
        runner.bind(8)
        runner.capture()
        launches_time(runner.submit, runner.stream, pairs=20, per_pair=50)
        seconds = launches_time(runner.submit, runner.stream, pairs=50, per_pair=50)
    assert 1e-6 < np.median(seconds) < 1e-3
    assert np.subtract(*np.quantile(seconds, (0.9, 0.1))) < 0.1 * np.median(seconds)


def test_a_switched_off_graph_is_not_captured(made):
    with runner_open("onnxruntime", made("tiny-cnn", graph=False)) as runner:
        runner.bind(1)
        with pytest.raises(CannotCapture, match="switched CUDA graphs off"):
            runner.capture()
        runner.infer()
        assert runner.outputs()[0].shape == (1, 10)


def graph_assets(tmp_path, nodes, outputs, example, inputs_declared) -> Assets:
    graph = helper.make_graph(nodes, "made", inputs_declared, outputs)
    path = tmp_path / "made.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    source = ModelSource(kind="onnx", ref=path.name)
    return Assets(source, tmp_path, "fp32", "cuda", 1, (example,), Artifact.seal(path, "onnx"))


def test_a_node_without_a_cuda_kernel_is_refused_by_name(tmp_path):
    assets = graph_assets(
        tmp_path,
        [helper.make_node("Det", ["x"], ["y"], name="determinant")],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch"])],
        np.eye(3, dtype=np.float32)[None],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 3])],
    )
    with (
        pytest.raises(CannotRun, match=r"1 node of this graph would fall back .*: Det determinant;"),
        runner_open("onnxruntime", assets),
    ):
        pass


def test_a_model_that_cannot_be_captured_runs_without(tmp_path):
    assets = graph_assets(
        tmp_path,
        [
            helper.make_node("NonZero", ["x"], ["places"], name="places"),  # waits for the GPU to count them
            helper.make_node("Cast", ["places"], ["numbers"], to=TensorProto.FLOAT, name="numbers"),
            helper.make_node("ReduceSum", ["numbers"], ["y"], keepdims=0, name="total"),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])],
        np.array([[0, 1, 1, 0]], dtype=np.float32),
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
    )
    with runner_open("onnxruntime", assets) as runner:
        runner.bind(1)
        with pytest.raises(CannotCapture, match="no CUDA graph of it"):
            runner.capture()
        assert not runner.captured
        runner.infer()
        assert float(runner.outputs()[0]) == 3.0  # columns 1 and 2 of row 0
        runner.bind(2)
        with pytest.raises(CannotCapture):
            runner.capture()
        runner.infer()
        assert float(runner.outputs()[0]) == 8.0  # the same of row 1, and 1 twice for the row


def test_fp32_is_ieee_and_tf32_is_not(tmp_path):
    size = 512
    generator = np.random.default_rng(0)
    weights = generator.standard_normal((size, size)).astype(np.float32)
    rows = generator.standard_normal((64, size)).astype(np.float32)
    exact = rows.astype(np.float64) @ weights.astype(np.float64)
    errors = {}
    for precision in ("fp32", "tf32"):
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "product",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", size])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", size])],
            [onnx.numpy_helper.from_array(weights, "w")],
        )
        path = tmp_path / "product.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
        source = ModelSource(kind="onnx", ref=path.name)
        assets = Assets(source, tmp_path, precision, "cuda", 1, (rows,), Artifact.seal(path, "onnx"))
        with runner_open("onnxruntime", assets) as runner:
            runner.bind(64)
            runner.infer()
            errors[precision] = np.abs(runner.outputs()[0] - exact).max() / np.abs(exact).max()
    assert errors["fp32"] < 3e-6 < 5e-5 < errors["tf32"] < 1e-2


@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8", "fp8", "int4"])
def test_each_precision_runs_or_says_what_lacks(tmp_path, precision):
    from benchmarks.session import measure

    report = measure(
        ModelSource(kind="catalogue", ref="tiny-bert"),
        model="tiny-bert",
        precision=precision,
        cases=[
            Case(
                model="tiny-bert", runner="onnxruntime", precision=precision, suite="accuracy", duration_s=0.1
            )
        ],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *words: None,
        canary=False,
    )
    (outcome,) = report.outcomes
    print(precision, outcome.status, outcome.reason)
    assert outcome.status in ("done", "skipped")
    if precision == "fp16":
        assert outcome.status == "done", outcome.reason
    if outcome.status == "skipped":
        assert "CUDAExecutionProvider" in outcome.reason
        return
    drift = {row.metric: row.value for row in report.measurements}["accuracy_cosine_distance"]
    assert 0 < drift < 0.01
