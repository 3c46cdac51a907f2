"""Quantized graphs: the same bytes each time, run by onnxruntime, built by TensorRT-RTX, kept by digest."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from benchmarks.artifacts import file_digest
from benchmarks.cases import Case, ModelSource
from benchmarks.engines import engine_build
from benchmarks.errors import CannotRun, IntegrityError
from benchmarks.export import model_export
from benchmarks.models.source import LoadedModel, model_load, model_try
from benchmarks.quantization.floating import LARGEST
from benchmarks.quantization.quantize import graph_quantize
from benchmarks.quantization.recipes import recipe_mark
from benchmarks.session import measure

ROOT = Path(__file__).resolve().parents[2]
has_rtx = any(importlib.util.find_spec(name) for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"))
MADE = [
    ("tiny-cnn", "int8"),
    ("tiny-cnn", "fp8"),
    ("tiny-bert", "int8"),
    ("tiny-bert", "fp8"),
    ("tiny-bert", "int4"),
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Exports and examples, each made once; fp8 and int4 are made of the same one."""
    found = {}

    def exported(name: str, precision: str):
        base = (name, "fp8" if precision == "int4" else precision)
        if base not in found:
            folder = tmp_path_factory.mktemp("-".join(base))
            model = model_load(ModelSource(kind="catalogue", ref=name), folder, base[1])
            found[base] = model_export(model, folder / "base.onnx").onnx, model_try(model, name)
        return found[base]

    return exported


@pytest.fixture(scope="module")
def made(exported, tmp_path_factory):
    """Source, example and quantized file of each model and precision."""
    found = {}
    for name, precision in MADE:
        source, example = exported(name, precision)
        target = tmp_path_factory.mktemp(f"{name}-{precision}") / "made.onnx"
        found[name, precision] = source, example, graph_quantize(source, example, precision, target).onnx
    return found


def run(path: Path, inputs, *, fused: bool = True) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not fused:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    (output,) = session.run(None, dict(zip(names, inputs, strict=True)))
    return output.astype(np.float64)


@pytest.mark.parametrize(("name", "precision"), MADE)
def test_the_quantized_graph_computes_nearly_the_same_and_not_the_same(made, name, precision):
    source, example, quantized = made[name, precision]
    expected = run(source.path, example)
    found = run(quantized.path, example, fused=precision != "fp8")
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert 1e-5 < error < 0.05
    assert quantized.size < 0.8 * source.size


def test_the_same_graph_gives_the_same_bytes_in_another_process(made, tmp_path):
    """That an export does, `test_benchmarks_export.py` shows."""
    asked = []
    for (_, precision), (source, example, _) in made.items():
        np.savez(tmp_path / f"{len(asked)}.npz", *example)
        asked.append((precision, str(source.path), f"{len(asked)}.npz"))
    code = f"""
from pathlib import Path
import numpy as np
from benchmarks.artifacts import Artifact
from benchmarks.quantization.quantize import graph_quantize
folder = Path({str(tmp_path)!r})
for precision, path, example in {asked!r}:
    source = Artifact.seal(Path(path), "onnx")
    example = tuple(np.load(folder / example).values())
    print(graph_quantize(source, example, precision, folder / "made.onnx").onnx.sha256)
"""
    seeded = {**os.environ, "PYTHONHASHSEED": "12345"}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env=seeded
    )
    assert answer.stdout.split() == [quantized.sha256 for _, _, quantized in made.values()]


def test_int8_is_symmetric_and_per_channel_as_tensorrt_needs_it(made):
    graph = onnx.load(str(made["tiny-cnn", "int8"][2].path)).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    pairs = [node for node in graph.node if node.op_type.endswith("tizeLinear")]
    assert all((constants[node.input[2]] == 0).all() for node in pairs)
    assert all(constants[node.input[2]].dtype == np.int8 for node in pairs)
    weights = [constants[node.input[1]].size for node in pairs if node.input[0] in constants]
    assert weights == [16, 32, 64, 64, 10], "one scale per output channel"
    assert sum(tensor.dtype == np.float32 and tensor.ndim == 1 and tensor.size in weights
               for tensor in constants.values()) >= 5, "biases stay floating point"  # fmt: skip


def test_fp8_scales_reach_the_largest_number_of_e4m3(made):
    model = onnx.load(str(made["tiny-bert", "fp8"][2].path))
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    weights = [
        node for node in model.graph.node if node.op_type == "DequantizeLinear" and node.input[0] in constants
    ]
    assert len(weights) == 12
    for node in weights:
        assert constants[node.input[0]].data_type == TensorProto.FLOAT8E4M3FN
        largest = np.abs(numpy_helper.to_array(constants[node.input[0]]).astype(np.float32)).max()
        assert largest in (LARGEST, 416.0), "the scale is rounded to half precision"


def test_narrow_convolutions_stay_out_of_fp8(made):
    graph = onnx.load(str(made["tiny-cnn", "fp8"][2].path)).graph
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert [node.input[1].endswith("_fp8_out") for node in convolutions] == [False, True, True, True]


def test_int4_weights_are_in_blocks_and_the_attention_products_are_left(made):
    graph = onnx.load(str(made["tiny-bert", "int4"][2].path)).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    blocks = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    assert len(blocks) == 12
    assert {constants[node.input[0]].data_type for node in blocks} == {TensorProto.INT4}
    sizes = {attribute.i for node in blocks for attribute in node.attribute if attribute.name == "block_size"}
    assert sizes == {64}
    assert sum(node.op_type == "MatMul" for node in graph.node) == 16


@pytest.mark.skipif(not has_rtx, reason="TensorRT-RTX is not installed (extra rtx)")
@pytest.mark.parametrize(("name", "precision"), MADE)
def test_tensorrt_rtx_builds_the_quantized_graph(made, tmp_path, name, precision):
    _, example, quantized = made[name, precision]
    built = engine_build(
        runner="tensorrt_rtx",
        onnx=quantized,
        target=tmp_path / "model.engine",
        example_shapes=tuple(array.shape for array in example),
        batches=(1, 4),
    )
    assert built.engine.size > 10_000


def test_a_graph_is_kept_by_its_sources_digest_and_recipe(made, tmp_path):
    source, example, quantized = made["tiny-cnn", "int8"]
    kept = tmp_path / "kept"
    first = graph_quantize(source, example, "int8", tmp_path / "one.onnx", kept=kept)
    second = graph_quantize(source, example, "int8", tmp_path / "two.onnx", kept=kept)
    assert first.seconds is not None
    assert second.seconds is None, "taken, not made"
    assert first.onnx.sha256 == second.onnx.sha256 == quantized.sha256
    (place,) = kept.glob("*.onnx")
    assert place.name == f"{source.sha256[:40]}.{recipe_mark('int8')}.onnx"
    place.write_bytes(b"changed")
    with pytest.raises(IntegrityError):
        graph_quantize(source, example, "int8", tmp_path / "three.onnx", kept=kept)


def test_the_marks_of_the_recipes_differ():
    assert len({recipe_mark(precision) for precision in ("int8", "fp8", "int4")}) == 3


def test_a_graph_without_products_has_nothing_for_int4(exported, tmp_path):
    cnn, inputs = exported("tiny-cnn", "int4")
    with pytest.raises(CannotRun, match="nothing that int4 quantizes: no MatMul"):
        graph_quantize(cnn, inputs, "int4", tmp_path / "made.onnx")


def job(source: ModelSource, precision: str, tmp_path: Path, *suites: str, **more):
    return measure(
        source,
        model="m",
        precision=precision,
        cases=[
            Case(model="m", runner=runner, precision=precision, suite=suite, duration_s=0.05)
            for runner in ("torch", "onnxruntime")
            for suite in suites
        ],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *words: None,
        device="cpu",
        canary=False,
        **more,
    )


def test_a_job_measures_the_quantized_graph_and_keeps_it(made, tmp_path):
    cache = tmp_path / "cache" / "kept.onnx"
    cache.parent.mkdir()
    report = job(
        ModelSource(kind="catalogue", ref="tiny-cnn"), "int8", tmp_path, "build", "latency", onnx_cache=cache
    )
    status = {(one.case.runner, one.case.suite): one.status for one in report.outcomes}
    assert status["onnxruntime", "latency"] == status["onnxruntime", "build"] == "done"
    assert status["torch", "latency"] == "skipped"
    digest = made["tiny-cnn", "int8"][2].sha256
    assert report.onnx_sha256 == file_digest(cache) == digest
    assert {stage.name for stage in report.stages} >= {"export", "quantize"}
    onnx_files = [one for one in report.artifacts if one.kind == "onnx"]
    assert [one.sha256 for one in onnx_files] == [digest], "the base is no artifact"
    assert json.loads(report.model_dump_json())["precision"] == "int8"


def test_a_precision_that_finds_nothing_skips_with_the_reason(tmp_path):
    report = job(ModelSource(kind="catalogue", ref="tiny-cnn"), "int4", tmp_path, "latency")
    assert {one.status for one in report.outcomes} == {"skipped"}
    reasons = {one.case.runner: one.reason for one in report.outcomes}
    assert "nothing that int4 quantizes" in reasons["onnxruntime"]
    assert "torch runs no int4" in reasons["torch"]


def test_a_model_without_weights_cannot_be_quantized(tmp_path):
    import torch

    model = LoadedModel(torch.nn.ReLU(), (torch.randn(1, 8),), "int8")
    source = model_export(model, tmp_path / "base.onnx").onnx
    for precision in ("int8", "fp8"):
        with pytest.raises(CannotRun, match="Conv or Gemm or MatMul with constant weights"):
            graph_quantize(source, (np.ones((1, 8), np.float32),), precision, tmp_path / "made.onnx")
