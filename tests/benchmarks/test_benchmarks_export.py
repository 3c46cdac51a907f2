"""Exports: the same bytes wherever they are made, any batch, typed, and sealed."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from benchmarks.artifacts import Artifact
from benchmarks.cases import ModelSource
from benchmarks.errors import ExportError, IntegrityError
from benchmarks.export import model_export
from benchmarks.models.graph import graph_example
from benchmarks.models.source import LoadedModel, model_load
from benchmarks.onnx_cache import cache_put, cache_take


def cnn(tmp_path, precision: str = "fp32") -> LoadedModel:
    return model_load(ModelSource(kind="catalogue", ref="tiny-cnn"), tmp_path, precision)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    model = cnn(folder)
    return model, model_export(model, folder / "model.onnx").onnx


@pytest.mark.parametrize("batch", [1, 3])
def test_onnxruntime_computes_what_torch_does_at_any_batch(exported, batch):
    model, artifact = exported
    images = torch.randn(batch, 3, 32, 32)
    session = onnxruntime.InferenceSession(str(artifact.path))
    (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    with torch.inference_mode():
        assert np.abs(found - model.module(images).numpy()).max() < 1e-4


def test_the_same_module_gives_the_same_bytes_elsewhere(exported, tmp_path):
    _, artifact = exported
    folder = tmp_path / "a-checkout-with-another-and-longer-path"
    folder.mkdir()
    again = model_export(cnn(folder), folder / "model.onnx").onnx
    assert again.sha256 == artifact.sha256
    assert b"benchmarks/models" not in artifact.path.read_bytes(), "no path of the source file"


@pytest.mark.parametrize(
    ("precision", "kind"), [("fp16", onnx.TensorProto.FLOAT16), ("bf16", onnx.TensorProto.BFLOAT16)]
)
def test_a_typed_export_holds_no_float32_weights(tmp_path, precision, kind):
    path = model_export(cnn(tmp_path, precision), tmp_path / "model.onnx").onnx.path
    types = {weight.data_type for weight in onnx.load(str(path)).graph.initializer}
    assert kind in types
    assert onnx.TensorProto.FLOAT not in types


@pytest.mark.parametrize(
    ("precision", "opset"), [("fp32", 20), ("fp16", 20), ("bf16", 22), ("fp8", 21), ("int4", 21)]
)
def test_each_precision_has_the_operators_it_needs_and_a_batch_called_so(tmp_path, precision, opset):
    model = onnx.load(str(model_export(cnn(tmp_path, precision), tmp_path / "model.onnx").onnx.path))
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": opset}
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


class Starred(torch.nn.Module):
    def forward(self, *rows: torch.Tensor) -> torch.Tensor:
        return rows[0] + rows[1]


def test_starred_inputs_have_a_batch_too(tmp_path):
    model = LoadedModel(Starred(), (torch.ones(1, 6), torch.ones(1, 6)), "fp32")
    graph = onnx.load(str(model_export(model, tmp_path / "model.onnx").onnx.path)).graph
    assert [value.type.tensor_type.shape.dim[0].dim_param for value in graph.input] == ["batch", "batch"]


class FixedBatch(torch.nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.reshape(2, 6)


def test_a_model_that_fixes_its_batch_is_told_how_to_mend_it(tmp_path):
    model = LoadedModel(FixedBatch(), (torch.ones(2, 6),), "fp32")
    with pytest.raises(ExportError, match="dim 0 of every input is the batch"):
        model_export(model, tmp_path / "model.onnx")


class Untraceable(torch.nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows * float(np.asarray(rows.tolist()).sum())


def test_a_model_that_cannot_be_traced_is_an_export_error(tmp_path):
    model = LoadedModel(Untraceable(), (torch.ones(2, 6),), "fp32")
    with pytest.raises(ExportError, match="does not export to ONNX"):
        model_export(model, tmp_path / "model.onnx")


def test_a_changed_file_is_refused_with_both_digests(exported, tmp_path):
    _, artifact = exported
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(artifact.path.read_bytes() + b"x")
    changed = Artifact(copy, "onnx", artifact.sha256, artifact.size)
    with pytest.raises(IntegrityError, match=artifact.sha256):
        changed.verified()


def test_the_kept_export_is_checked_before_it_is_taken(exported, tmp_path):
    _, artifact = exported
    cache = tmp_path / "kept" / "model.onnx"
    cache_put(artifact, cache)
    assert cache_take(cache, tmp_path / "taken.onnx").sha256 == artifact.sha256
    cache.write_bytes(b"something else")
    with pytest.raises(IntegrityError, match="not the file that was announced"):
        cache_take(cache, tmp_path / "taken.onnx")
    cache.with_name(cache.name + ".sha256").unlink()
    with pytest.raises(IntegrityError, match="no digest beside it"):
        cache_take(cache, tmp_path / "taken.onnx")


def test_an_onnx_file_without_an_example_gets_one_of_its_types(exported):
    _, artifact = exported
    (images,) = graph_example(artifact.path)
    assert images.shape == (1, 3, 32, 32)
    assert images.dtype == np.float32
