"""The names the adapter uses exist in every TensorRT, and what a missing library or runner says."""

import ast
import importlib.util
import json
from pathlib import Path

import pytest

from benchmarks.artifacts import Artifact
from benchmarks.cases import ModelSource
from benchmarks.engines import engine_build
from benchmarks.errors import CannotRun, MissingLibrary
from benchmarks.runners import table, tensorrt_rtx
from benchmarks.runners.base import Assets
from benchmarks.runners.table import runner_open

ROOT = Path(__file__).resolve().parents[2]
NAMES = json.loads((Path(__file__).parent / "data" / "tensorrt_names.json").read_text())
VERSIONS = [key for key in NAMES if key != "origin"]
# what each variable of the adapter holds, by file; the modules themselves are `trt`, and `rtx` where a
# name is of TensorRT-RTX alone
HOLDS = {
    "engines/build.py": {
        "builder": "Builder",
        "parser": "OnnxParser",
        "error": "ParserError",
        "config": "IBuilderConfig",
        "flag": "BuilderFlag",
    },
    "engines/profiles.py": {
        "builder": "Builder",
        "network": "INetworkDefinition",
        "config": "IBuilderConfig",
        "graph_input": "ITensor",
        "profile": "IOptimizationProfile",
    },
    "engines/timing_cache.py": {"config": "IBuilderConfig", "cache": "ITimingCache"},
    "runners/tensorrt_library.py": {},
    "runners/tensorrt_buffers.py": {
        "engine": "ICudaEngine",
        "context": "IExecutionContext",
        "engine.get_tensor_dtype(name)": "DataType",
    },
    "runners/tensorrt_layers.py": {
        "engine": "ICudaEngine",
        "context": "IExecutionContext",
        "inspector": "EngineInspector",
    },
    "runners/tensorrt_profiles.py": {"engine": "ICudaEngine", "context": "IExecutionContext"},
    "runners/tensorrt_refit.py": {
        "refitter": "Refitter",
        "refit_parser": "OnnxParserRefitter",
        "error": "ParserError",
    },
    "runners/tensorrt_rtx.py": {
        "rtx_runtime": "Runtime",
        "rtx_engine": "ICudaEngine",
        "rtx_config": "IRuntimeConfig",
        "rtx_context": "IExecutionContext",
        "strategies": "DynamicShapesKernelSpecializationStrategy",
    },
    "runners/tensorrt_runner.py": {
        "self._runtime": "Runtime",
        "self._engine": "ICudaEngine",
        "self._context": "IExecutionContext",
    },
}
MODULES = ("trt", "self._trt", "rtx")
RTX_ONLY = ("rtx", "rtx_runtime", "rtx_engine", "rtx_config", "rtx_context", "strategies")


def names_used() -> set[tuple[str, str, str]]:
    """(variable, class, member) of every TensorRT name in the adapter's source."""
    used = set()
    for path, holds in HOLDS.items():
        seen = set()
        for node in ast.walk(ast.parse((ROOT / "benchmarks" / path).read_text())):
            if not isinstance(node, ast.Attribute):
                continue
            base = ast.unparse(node.value)
            root, _, nested = base.rpartition(".")
            if base in MODULES:
                used.add((base, "module", node.attr))
            elif root in MODULES:  # trt.BuilderFlag.REFIT
                used.add((root, nested, node.attr))
            elif base in holds:
                seen.add(base)
                used.add((base, holds[base], node.attr))
        assert seen == set(holds), f"{path} no longer uses {set(holds) - seen}"
    return {row for row in used if not row[2].startswith("__")}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_the_adapter_uses_exists(version):
    used = names_used()
    assert len(used) > 80
    everywhere = {row for row in used if row[0] not in RTX_ONLY}
    wanted = used if version.startswith("tensorrt_rtx") else everywhere
    own = {("error", "ParserError", "name")}  # of Python's ModuleNotFoundError
    missing = sorted(
        f"{holder}.{name}" for _, holder, name in wanted - own if name not in NAMES[version].get(holder, ())
    )
    assert missing == []


def test_what_is_called_tensorrt_rtxs_own_is_its_own():
    """A name under `rtx` that TensorRT has too belongs to the common code."""
    own = {(holder, name) for variable, holder, name in names_used() if variable in RTX_ONLY}
    common = {("ICudaEngine", "create_execution_context"), ("ICudaEngine", "create_runtime_config")}
    common |= {("module", "BuilderFlag"), ("module", "ExecutionContextAllocationStrategy")}
    common |= {("ExecutionContextAllocationStrategy", "ON_PROFILE_CHANGE")}
    common |= {("IRuntimeConfig", "set_execution_context_allocation_strategy")}
    for version in VERSIONS[:2]:
        shared = {(holder, name) for holder, name in own if name in NAMES[version].get(holder, ())}
        assert shared == common


@pytest.mark.parametrize("version", VERSIONS)
def test_the_type_table_is_of_names_that_exist(version):
    from benchmarks.runners.tensorrt_buffers import TORCH_TYPES

    assert set(TORCH_TYPES) <= set(NAMES[version]["DataType"])


def test_every_reason_of_tensorrt_rtx_has_its_words():
    told = set(NAMES[VERSIONS[2]]["EngineInvalidityDiagnostics"]) - {"name", "value"}
    assert set(tensorrt_rtx._DIAGNOSTICS) == told


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed here")
def test_a_missing_library_names_the_extra(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not read")
    with pytest.raises(MissingLibrary, match=r"perfsite\[gpu\]"):
        engine_build(
            runner="tensorrt",
            onnx=Artifact.seal(tmp_path / "model.onnx", "onnx"),
            target=tmp_path / "e",
            example_shapes=((1,),),
            batches=(1,),
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


def test_a_runner_without_an_engine_says_so(tmp_path):
    pytest.importorskip("tensorrt_rtx_bindings")
    assets = Assets(ModelSource(kind="catalogue", ref="tiny-cnn"), tmp_path, "fp32", "cpu", 1)
    with pytest.raises(CannotRun, match="needs an engine"), runner_open("tensorrt_rtx", assets):
        pass
