"""ONNX Runtime's sessions: what falls back is named, what a case asks for arrives, a batch can be fixed."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from benchmarks.artifacts import Artifact
from benchmarks.cases import ModelSource
from benchmarks.errors import CannotCapture, CannotRun, IntegrityError, MeasureError
from benchmarks.export import model_export
from benchmarks.models.source import model_load, model_try
from benchmarks.runners.base import Assets
from benchmarks.runners.onnxruntime_cuda import session_of_batch
from benchmarks.runners.onnxruntime_session import (
    CPU,
    CUDA,
    TENSORRT,
    FellBack,
    Plan,
    fallback_words,
    free_name,
    nodes_on,
    plan_make,
    session_make,
    session_open,
)
from benchmarks.runners.table import runner_open

BERT = ModelSource(kind="catalogue", ref="tiny-bert")
needs_cpu_build = pytest.mark.skipif(
    CUDA in onnxruntime.get_available_providers(), reason="this onnxruntime has the CUDA provider"
)


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> Assets:
    folder = tmp_path_factory.mktemp("bert")
    model = model_load(BERT, folder, "fp32")
    exported = model_export(model, folder / "model.onnx").onnx
    return Assets(BERT, folder, "fp32", "cpu", 1, example=model_try(model, "tiny-bert"), onnx=exported)


def plain_assets(path, example, **more) -> Assets:
    source = ModelSource(kind="onnx", ref=path.name)
    return Assets(
        source,
        path.parent,
        more.pop("precision", "fp32"),
        more.pop("device", "cpu"),
        1,
        example=example,
        onnx=Artifact.seal(path, "onnx"),
        **more,
    )


def doubling(tmp_path, batch: int | str = "rows", kind: int = TensorProto.FLOAT):
    """A graph that adds its input (batch, 4) to itself."""
    shape = [batch, 4]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"], name="twice")],
        "doubling",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
    )
    path = tmp_path / "doubling.onnx"
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    return path


ROW = (np.arange(4, dtype=np.float32)[None],)


def test_inputs_are_bound_fed_and_read_back(tmp_path):
    with runner_open("onnxruntime", plain_assets(doubling(tmp_path), ROW)) as runner:
        runner.bind(3)
        runner.submit()
        runner.wait()
        (bound,) = runner.outputs()
        assert np.array_equal(bound, np.tile(2 * ROW[0], (3, 1)))
        runner.feed((np.full((3, 4), 5, np.float32),))
        runner.infer()
        assert (runner.outputs()[0] == 10).all()
        runner.bind(3)
        runner.infer()
        assert np.array_equal(runner.outputs()[0], bound), "the example again"
        assert runner.stream is None
        assert not runner.captured
        with pytest.raises(CannotCapture, match="without a GPU"):
            runner.capture()
    runner.close()  # harmless a second time


def test_a_file_that_fixes_its_batch_says_so(tmp_path):
    with runner_open("onnxruntime", plain_assets(doubling(tmp_path, batch=2), ROW)) as runner:
        runner.bind(2)
        with pytest.raises(CannotRun, match="fixes the batch of input 'x' at 2 and does not run at 3"):
            runner.bind(3)


def test_an_input_too_many_is_told(tmp_path):
    with (
        runner_open("onnxruntime", plain_assets(doubling(tmp_path), ROW * 2)) as runner,
        pytest.raises(MeasureError, match="1 inputs and the model's example 2"),
    ):
        runner.bind(1)


def test_a_changed_file_is_not_loaded(tmp_path):
    path = doubling(tmp_path)
    assets = plain_assets(path, ROW)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(IntegrityError), runner_open("onnxruntime", assets):
        pass


def test_tf32_is_not_claimed_of_the_cpu(tmp_path):
    assets = plain_assets(doubling(tmp_path), ROW, precision="tf32")
    with (
        pytest.raises(CannotRun, match="TensorFloat-32 needs an NVIDIA GPU"),
        runner_open("onnxruntime", assets),
    ):
        pass


def test_a_type_without_a_kernel_is_told_in_onnxruntimes_words(tmp_path):
    path = doubling(tmp_path, kind=TensorProto.BFLOAT16)
    with (
        pytest.raises(CannotRun, match=r"CPUExecutionProvider has no kernel .*Add\(14\).*twice"),
        runner_open("onnxruntime", plain_assets(path, ROW)),
    ):
        pass


@needs_cpu_build
def test_a_missing_provider_names_the_remedy(tmp_path):
    with (
        pytest.raises(CannotRun, match=r"has no CUDAExecutionProvider.*perfsite\[gpu\]"),
        runner_open("onnxruntime", plain_assets(doubling(tmp_path), ROW, device="cuda")),
    ):
        pass


def test_the_tensorrt_provider_wants_a_gpu(tmp_path):
    with (
        pytest.raises(CannotRun, match="needs an NVIDIA GPU"),
        runner_open("onnxruntime_tensorrt", plain_assets(doubling(tmp_path), ROW)),
    ):
        pass


@pytest.mark.skipif(
    "AzureExecutionProvider" not in onnxruntime.get_available_providers(),
    reason="this onnxruntime has no second provider that takes no node",
)
def test_nodes_that_fall_back_to_the_cpu_are_refused_by_name(tmp_path, capfd):
    """The Azure provider takes no node at all: every one falls back, as CUDA's do where it has no kernel."""
    plan = Plan(doubling(tmp_path), (("AzureExecutionProvider", {}),), threads=1, strict=True)
    with pytest.raises(FellBack, match=r"1 node of this graph would fall back .* to the CPU.*: Add twice;"):
        session_open(plan)
    assert capfd.readouterr().out == "", "onnxruntime opened nothing else in its place"


def test_many_nodes_are_named_in_part():
    words = fallback_words(CUDA, [f"Det {number}" for number in range(9)])
    assert "9 nodes" in words
    assert "Det 4, ...;" in words
    assert "Det 5" not in words


def test_a_fixed_batch_folds_the_shape_arithmetic_away(bert):
    plan = plan_make(bert, (CPU,), bert.onnx.path)
    free = nodes_on(session_make(plan, recorded=True), CPU)
    assert any(node.startswith("Shape ") for node in free)
    fixed = Plan(plan.path, plan.providers, 1, dimensions=(("batch", 2),))
    assert not any(node.startswith("Shape ") for node in nodes_on(session_make(fixed, recorded=True), CPU))
    assert session_open(fixed).get_inputs()[0].shape == [2, 32]


def test_a_batch_of_any_name_is_fixed(tmp_path, bert):
    for path, name in ((doubling(tmp_path), "rows"), (bert.onnx.path, "batch")):
        plan = Plan(path, ((CPU, {}),), threads=1)
        assert free_name(plan) == name
        session, reason = session_of_batch(plan, 3)
        assert session.get_inputs()[0].shape[0] == 3
        assert reason == ""


def test_options_go_to_the_provider_they_are_of(tmp_path):
    path = doubling(tmp_path)
    options = (
        ("graph", True),
        ("provider.cudnn_conv_algo_search", "HEURISTIC"),
        ("provider.trt_builder", "5"),
    )
    assets = plain_assets(path, ROW, options=options)
    given = dict(plan_make(assets, (CPU, TENSORRT, CUDA), path).providers)
    assert given[TENSORRT] == {"trt_builder": "5"}
    assert given[CUDA] == {"cudnn_conv_algo_search": "HEURISTIC"}
    alone = dict(plan_make(assets, (CPU,), path).providers)
    assert alone[CPU] == {"cudnn_conv_algo_search": "HEURISTIC", "trt_builder": "5"}


def test_the_same_plan_without_graphs(tmp_path):
    switched = {"enable_cuda_graph": "1", "user_compute_stream": "7"}
    plan = Plan(tmp_path, ((CUDA, switched), (TENSORRT, {"trt_cuda_graph_enable": "1"})), threads=1)
    assert plan.uncaptured().providers == ((CUDA, {"user_compute_stream": "7"}), (TENSORRT, {}))
    assert plan.uncaptured().uncaptured() == plan.uncaptured()
