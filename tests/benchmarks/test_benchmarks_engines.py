"""Engines: the names the adapter uses exist in every TensorRT, and TensorRT-RTX builds real ones here."""

import ast
import importlib.util
import json
from pathlib import Path

import pytest
import torch

from benchmarks.artifacts import Artifact
from benchmarks.cases import ModelSource
from benchmarks.engines import engine_build
from benchmarks.errors import BuildError, CannotRun, IntegrityError, MissingLibrary
from benchmarks.export import model_export
from benchmarks.models.source import LoadedModel, model_load
from benchmarks.runners import table
from benchmarks.runners.base import Assets
from benchmarks.runners.table import runner_open

ROOT = Path(__file__).resolve().parents[2]
NAMES = json.loads((Path(__file__).parent / "data" / "tensorrt_names.json").read_text())
VERSIONS = [key for key in NAMES if key != "origin"]
ADAPTER = (
    "benchmarks/engines.py",
    "benchmarks/runners/tensorrt_runner.py",
    "benchmarks/runners/tensorrt_library.py",
)
# what each variable of the adapter holds
HOLDS = {
    "trt": "module",
    "self._trt": "module",
    "trt.NetworkDefinitionCreationFlag": "NetworkDefinitionCreationFlag",
    "trt.ILogger": "ILogger",
    "self._trt.TensorIOMode": "TensorIOMode",
    "builder": "Builder",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "error": "ParserError",
    "config": "IBuilderConfig",
    "profile": "IOptimizationProfile",
    "runtime": "Runtime",
    "self._engine": "ICudaEngine",
    "self._context": "IExecutionContext",
}
has_rtx = any(importlib.util.find_spec(name) for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"))
needs_rtx = pytest.mark.skipif(not has_rtx, reason="TensorRT-RTX is not installed (extra rtx)")


def names_used() -> set[tuple[str, str]]:
    """(class, member) of every TensorRT name in the adapter's source."""
    used = set()
    for path in ADAPTER:
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.Attribute):
                holder = HOLDS.get(ast.unparse(node.value))
                if holder is not None:
                    used.add((holder, node.attr))
    own = {("ParserError", "name")}  # ModuleNotFoundError's, in a variable of the same name
    return {(holder, name) for holder, name in used - own if not name.startswith("__")}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_the_adapter_uses_exists(version):
    used = names_used()
    assert len(used) > 30
    missing = sorted(f"{holder}.{name}" for holder, name in used if name not in NAMES[version][holder])
    assert missing == []


def test_the_type_table_is_of_names_that_exist():
    from benchmarks.runners.tensorrt_runner import _TORCH_TYPES

    for version in VERSIONS:
        assert set(_TORCH_TYPES) <= set(NAMES[version]["DataType"])


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    model = model_load(ModelSource(kind="catalogue", ref="tiny-cnn"), folder, "fp32")
    return model_export(model, folder / "model.onnx").onnx


def build(onnx: Artifact, target: Path, shape: tuple[int, ...] = (1, 3, 32, 32)):
    return engine_build(
        runner="tensorrt_rtx", onnx=onnx, target=target, example_shapes=(shape,), batches=(1, 4)
    )


@needs_rtx
def test_an_engine_is_built_without_a_gpu(onnx_file, tmp_path):
    built = build(onnx_file, tmp_path / "model.engine")
    assert built.engine.size == (tmp_path / "model.engine").stat().st_size > 10_000
    assert built.engine.verified() == tmp_path / "model.engine"
    assert 0 < built.seconds < 60


@needs_rtx
def test_a_graph_that_the_parser_refuses_is_told_in_its_words(tmp_path):
    class Determinant(torch.nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return torch.linalg.det(rows)

    model = LoadedModel(Determinant(), (torch.ones(1, 3, 3),), "fp32")
    onnx = model_export(model, tmp_path / "model.onnx").onnx
    with pytest.raises(BuildError, match="Det"):
        build(onnx, tmp_path / "model.engine", (1, 3, 3))


@needs_rtx
def test_a_changed_onnx_file_is_not_built(onnx_file, tmp_path):
    changed = tmp_path / "model.onnx"
    changed.write_bytes(onnx_file.path.read_bytes() + b"\0")
    with pytest.raises(IntegrityError):
        build(Artifact(changed, "onnx", onnx_file.sha256, onnx_file.size), tmp_path / "model.engine")


@needs_rtx
def test_running_an_engine_without_a_gpu_is_refused_with_the_reason(onnx_file, tmp_path):
    engine = build(onnx_file, tmp_path / "model.engine").engine
    assets = Assets(ModelSource(kind="catalogue", ref="tiny-cnn"), tmp_path, "fp32", "cpu", 1, engine=engine)
    with pytest.raises(CannotRun, match="needs an NVIDIA GPU"), runner_open("tensorrt_rtx", assets):
        pass


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed here")
def test_a_missing_library_names_the_extra(onnx_file, tmp_path):
    with pytest.raises(MissingLibrary, match=r"perfsite\[gpu\]"):
        engine_build(
            runner="tensorrt", onnx=onnx_file, target=tmp_path / "e", example_shapes=((1,),), batches=(1,)
        )


def test_a_runner_whose_file_lacks_its_library_names_the_extra(monkeypatch, tmp_path):
    row = table.RunnerRow("no_such_library_runner", "Runner", "module", "cpu", "gpu")
    monkeypatch.setitem(table.ROWS, "torch", row)
    assets = Assets(ModelSource(kind="catalogue", ref="tiny-cnn"), tmp_path, "fp32", "cpu", 1)
    with pytest.raises(MissingLibrary, match=r"perfsite\[cpu\]"):
        runner_open("torch", assets)


def test_an_unknown_runner_lists_the_known_ones(tmp_path):
    assets = Assets(ModelSource(kind="catalogue", ref="tiny-cnn"), tmp_path, "fp32", "cpu", 1)
    with pytest.raises(ValueError, match="onnxruntime"):
        runner_open("openvino", assets)
