"""TensorRT-RTX builds real engines here: typed and Q/DQ graphs, attention, a free batch, limits, logs."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from benchmarks.artifacts import Artifact
from benchmarks.cases import ModelSource
from benchmarks.engines import build_options, engine_build, engine_label
from benchmarks.engines.sidecar import sidecar_read
from benchmarks.errors import BuildError, CannotRun, IntegrityError
from benchmarks.export import model_export
from benchmarks.models.source import LoadedModel, model_load
from benchmarks.runners import tensorrt_library

has_rtx = any(importlib.util.find_spec(name) for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"))
pytestmark = pytest.mark.skipif(not has_rtx, reason="TensorRT-RTX is not installed (extra rtx)")

IMAGE = ((1, 3, 32, 32),)


def exported(folder: Path, model: str, precision: str):
    loaded = model_load(ModelSource(kind="catalogue", ref=model), folder, precision)
    shapes = tuple(tuple(tensor.shape) for tensor in loaded.example)
    return model_export(loaded, folder / f"{model}-{precision}.onnx").onnx, shapes


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("cnn"), "tiny-cnn", "fp32")[0]


def build(source: Artifact, target: Path, shapes=IMAGE, batches=(1, 4), runner="tensorrt_rtx", **more):
    return engine_build(
        runner=runner, onnx=source, target=target, example_shapes=shapes, batches=batches, **more
    )


def test_an_engine_is_built_without_a_gpu(cnn, tmp_path):
    built = build(cnn, tmp_path / "model.engine")
    assert built.engine.size == (tmp_path / "model.engine").stat().st_size > 10_000
    assert built.engine.verified() == tmp_path / "model.engine"
    assert 0 < built.seconds < 60


def test_the_log_and_the_note_lie_beside_the_engine(cnn, tmp_path):
    built = build(cnn, tmp_path / "model.engine")
    log = built.log.path.read_text().splitlines()
    assert built.log.kind == "log"
    assert any("Engine generation completed" in line for line in log)
    told = [line.split() for line in log if line[:9].strip().replace(".", "").isdigit()]
    assert {words[1] for words in told} <= {"INFO", "WARNING", "ERROR", "VERBOSE"}
    # what the inspector would tell is all that is kept of the most talkative level
    assert [words[2] for words in told if words[1] == "VERBOSE"] == ["Layers:"]
    stamps = [float(words[0]) for words in told]
    assert stamps == sorted(stamps)
    assert stamps[-1] <= built.seconds + 0.01
    note = sidecar_read(built.engine.path)
    assert (note.engine_sha256, note.onnx_sha256) == (built.engine.sha256, cnn.sha256)
    assert (note.library, note.version, note.batches) == ("tensorrt_rtx", built.version, (1, 4))
    assert note.timing_cache is None
    assert "timing cache" in note.timing_cache_missing
    assert {file.path.name for file in built.files} == {"model.engine.log", "model.engine.json"}
    built.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_typed_graph_is_built_in_its_own_type(precision, tmp_path):
    source, shapes = exported(tmp_path, "tiny-cnn", precision)
    types = {value.data_type for value in onnx.load(source.path).graph.initializer}
    wanted = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}[precision]
    assert wanted in types
    assert TensorProto.FLOAT not in types
    built = build(source, tmp_path / "model.engine", shapes, precision=precision)
    assert sidecar_read(built.engine.path).precision == precision


def test_a_graph_of_quantized_integers_is_built(cnn, tmp_path):
    quantization = pytest.importorskip("onnxruntime.quantization")
    source = quantized(quantization, cnn.path, tmp_path / "int8.onnx")
    operators = {node.op_type for node in onnx.load(source.path).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    plain, integer = build(cnn, tmp_path / "plain.engine"), build(source, tmp_path / "int8.engine")
    assert integer.engine.sha256 != plain.engine.sha256


def quantized(quantization, source: Path, target: Path) -> Artifact:
    """Static symmetric Q/DQ, calibrated on a few seeded images, as TensorRT wants it."""
    rows = np.random.default_rng(0).standard_normal((4, 1, 3, 32, 32), dtype=np.float32)
    name = onnx.load(source).graph.input[0].name

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.rows = iter(rows)

        def get_next(self):
            row = next(self.rows, None)
            return None if row is None else {name: row}

    quantization.quantize_static(
        str(source),
        str(target),
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QInt8,
        weight_type=quantization.QuantType.QInt8,
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
    )
    return Artifact.seal(target, "onnx")


def test_attention_is_built_in_half_precision_for_any_batch(tmp_path):
    source, shapes = exported(tmp_path, "tiny-bert", "fp16")
    assert len(shapes) == 2
    built = build(source, tmp_path / "bert.engine", shapes, batches=(1, 8))
    assert "minShape is not the same as maxShape" in built.log.path.read_text()
    one = build(source, tmp_path / "one.engine", shapes, batches=(1,))
    assert "minShape is not the same as maxShape" not in one.log.path.read_text()


def test_tensorfloat_is_allowed_for_its_precision_alone(cnn, tmp_path):
    plain = build(cnn, tmp_path / "fp32.engine")
    tensorfloat = build(cnn, tmp_path / "tf32.engine", precision="tf32")
    assert "TF32" not in sidecar_read(plain.engine.path).flags
    assert "TF32" in sidecar_read(tensorfloat.engine.path).flags
    assert plain.engine.sha256 != tensorfloat.engine.sha256


def test_the_workspace_limit_reaches_the_builder(cnn, tmp_path):
    with pytest.raises(BuildError, match="workspace limit"):
        build(cnn, tmp_path / "small.engine", options=(("workspace_mib", 1),))
    built = build(cnn, tmp_path / "large.engine", options=(("workspace_mib", 4096),))
    assert sidecar_read(built.engine.path).workspace_mib == 4096


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_refittable_engine_without_a_gpu_is_refused_with_the_remedy(cnn, tmp_path):
    with pytest.raises(CannotRun, match="drop the option"):
        build(cnn, tmp_path / "refit.engine", options=(("refit", True),))


def test_tensorrt_rtx_takes_no_timing_cache(cnn, tmp_path):
    with pytest.raises(BuildError, match="takes no timing cache"):
        build(cnn, tmp_path / "model.engine", options=(("timing_cache", "a.timing"),), root=tmp_path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_calls_of_the_timing_cache(cnn, tmp_path, monkeypatch):
    """The code path of the full TensorRT over the library that is here, whose calls keep their types."""
    monkeypatch.setitem(tensorrt_library._MODULES, "tensorrt", ("tensorrt_rtx_bindings",))
    monkeypatch.setattr("benchmarks.engines.build._rtx_flags", None)  # not called for tensorrt
    first = build(cnn, tmp_path / "first.engine", runner="tensorrt")
    left = tmp_path / "first.engine.timing"
    assert first.timing_cache.name == left.name
    assert first.timing_cache.sha256 == Artifact.seal(left, "other").sha256
    assert first.timing_cache.started_from is None
    options = (("timing_cache", left.name),)
    second = build(cnn, tmp_path / "second.engine", runner="tensorrt", options=options, root=tmp_path)
    assert second.timing_cache.started_from == first.timing_cache.sha256
    assert sidecar_read(second.engine.path).timing_cache == second.timing_cache
    assert {file.kind for file in second.files} == {"log", "other"}
    assert len(second.files) == 3
    with pytest.raises(BuildError, match="no timing cache"):
        build(
            cnn,
            tmp_path / "third.engine",
            runner="tensorrt",
            options=(("timing_cache", "none"),),
            root=tmp_path,
        )


def test_a_graph_that_the_parser_refuses_is_told_in_its_words(tmp_path):
    class Determinant(torch.nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return torch.linalg.det(rows)

    model = LoadedModel(Determinant(), (torch.ones(1, 3, 3),), "fp32")
    source = model_export(model, tmp_path / "model.onnx").onnx
    with pytest.raises(BuildError, match="Det"):
        build(source, tmp_path / "model.engine", ((1, 3, 3),))


def test_a_changed_onnx_file_is_not_built(cnn, tmp_path):
    changed = tmp_path / "model.onnx"
    changed.write_bytes(cnn.path.read_bytes() + b"\0")
    with pytest.raises(IntegrityError):
        build(Artifact(changed, "onnx", cnn.sha256, cnn.size), tmp_path / "model.engine")


def relu_file(path: Path, shape: list) -> Artifact:
    rows = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", rows[:1], rows[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, path)
    return Artifact.seal(path, "onnx")


def test_a_graph_of_a_fixed_batch_is_built_for_that_batch_alone(tmp_path):
    source = relu_file(tmp_path / "fixed.onnx", [4, 8])
    assert build(source, tmp_path / "four.engine", ((4, 8),), batches=(4,)).engine.size > 0
    with pytest.raises(BuildError, match=r"fixed to \[4, 8\].*batch 4 alone"):
        build(source, tmp_path / "one.engine", ((4, 8),), batches=(1, 4))


def test_an_example_of_other_inputs_or_shapes_is_refused(tmp_path):
    source = relu_file(tmp_path / "free.onnx", ["batch", 8])
    with pytest.raises(BuildError, match="1 inputs and the model's example 2"):
        build(source, tmp_path / "a.engine", ((1, 8), (1, 8)))
    with pytest.raises(BuildError, match="Dimension mismatch"):
        build(source, tmp_path / "b.engine", ((1, 9),))


def test_options_that_make_another_engine_name_its_file():
    pairs = (("graph", False), ("refit", True), ("timing_cache", "caches/a b.timing"), ("workspace_mib", 64))
    assert [name for name, _ in build_options(pairs)] == ["refit", "timing_cache", "workspace_mib"]
    assert engine_label(pairs) == ".refit.timing_cachecaches-a-b.timing.workspace_mib64"
    assert build_options((("refit", False),)) == ()


def test_two_logs_at_once_hear_the_same(cnn, tmp_path):
    trt = tensorrt_library.library_import("tensorrt_rtx")
    with tensorrt_library.log_kept(trt) as (logger, outer):
        build(cnn, tmp_path / "model.engine")
        heard = len(outer.lines)
        with tensorrt_library.log_kept(trt) as (again, _):
            assert again is logger
    build(cnn, tmp_path / "model.engine")
    assert len(outer.lines) == heard > 10
    assert not any("differs from one already registered" in line.text for line in outer.lines)


def test_the_notes_are_plain_json(cnn, tmp_path):
    built = build(cnn, tmp_path / "model.engine")
    note = json.loads((tmp_path / "model.engine.json").read_text())
    assert note["engine_sha256"] == built.engine.sha256
    assert note["format"] == 1
