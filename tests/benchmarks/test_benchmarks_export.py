"""Exports: the same bytes wherever they are made, any batch, typed, and sealed."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotRun, ExportError, IntegrityError, ModelError
from benchmarks.export import model_export
from benchmarks.models.external import external_files
from benchmarks.models.graph import graph_example, graph_read
from benchmarks.models.source import LoadedModel, model_load
from benchmarks.onnx_cache import cache_put, cache_take
from benchmarks.quantization.quantize import graph_quantize
from benchmarks.session import measure


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
    (images,) = graph_example(graph_read(artifact.path), "model.onnx")
    assert images.shape == (1, 3, 32, 32)
    assert images.dtype == np.float32


# weights that do not fit into one file


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """An export whose weights lie beside it, as those of more than 1.5 GiB do."""
    folder = tmp_path_factory.mktemp("large")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.export.LARGEST_FILE", 1000)
        model = cnn(folder)
        return model, model_export(model, folder / "model.onnx").onnx


def run(path, images) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path))
    (found,) = session.run(None, {session.get_inputs()[0].name: images})
    return found


def test_large_weights_lie_beside_the_graph_and_belong_to_its_identity(large, exported):
    model, artifact = large
    (weights,) = artifact.beside
    assert weights.path.name == "model.onnx.data"
    assert artifact.size < weights.size
    assert artifact.whole_size > 4 * model.parameter_count
    assert artifact.identity not in (artifact.sha256, weights.sha256)
    assert exported[1].identity == exported[1].sha256
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert np.abs(run(artifact.path, images.numpy()) - model.module(images).numpy()).max() < 1e-4


def test_kept_large_weights_are_taken_under_their_name_and_checked(large, tmp_path):
    _, artifact = large
    cache_put(artifact, tmp_path / "kept" / "0815.onnx")
    taken = cache_take(tmp_path / "kept" / "0815.onnx", tmp_path / "again.onnx")
    assert taken.identity == artifact.identity
    images = np.ones((1, 3, 32, 32), np.float32)
    assert (run(taken.verified(), images) == run(artifact.path, images)).all()
    (weights,) = taken.beside
    weights.path.write_bytes(weights.path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match=r"model\.onnx\.data is not the file that was announced"):
        taken.verified()
    (tmp_path / "kept" / "0815.onnx.0").unlink()
    with pytest.raises(IntegrityError, match="gone from the kept export"):
        cache_take(tmp_path / "kept" / "0815.onnx", tmp_path / "third.onnx")


def test_large_weights_are_not_quantized_and_it_says_so(large, tmp_path):
    with pytest.raises(CannotRun, match=r"int8 graphs are made of exports in one file.*fp16 or bf16"):
        graph_quantize(large[1], (), "int8", tmp_path / "made.onnx")


def test_a_given_file_with_weights_beside_it_is_measured_and_known_by_both(large):
    _, artifact = large
    case = Case(model="m", runner="onnxruntime", suite="build", duration_s=0.05)
    report = measure(
        ModelSource(kind="onnx", ref="model.onnx"), model="m", precision="fp32", cases=[case],
        checkout=artifact.path.parent, workdir=artifact.path.parent / "work",
        on_progress=lambda *_: None, device="cpu", canary=False,
    )  # fmt: skip
    assert [(one.status, one.reason) for one in report.outcomes] == [("done", "")]
    assert report.onnx_sha256 == artifact.identity
    sizes = [one.value for one in report.measurements if one.metric == "model_size"]
    assert sizes == [artifact.whole_size]


@pytest.mark.parametrize(
    ("place", "words"),
    [("../weights.bin", "does not lie in its folder"), ("gone.bin", "no such file beside it")],
)
def test_weights_elsewhere_are_refused(large, tmp_path, place, words):
    (tmp_path / "weights.bin").write_bytes(bytes(8))
    model = graph_read(large[1].path)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = place if entry.key == "location" else entry.value
    path = tmp_path / "models" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=words):
        external_files(graph_read(path), path)


def test_a_link_out_of_the_folder_is_refused(large, tmp_path):
    path = tmp_path / "models" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(large[1].path.read_bytes())
    (path.parent / "model.onnx.data").symlink_to(large[1].beside[0].path)
    with pytest.raises(ModelError, match="does not lie in its folder"):
        external_files(graph_read(path), path)
