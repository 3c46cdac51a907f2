"""Weights that an ONNX file keeps in other files: inside its folder, or refused."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.errors import ModelError
from benchmarks.models.graph import weights_confined


def model_save(path, location=None, *, in_branch=False):
    weights = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    if location is not None:
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)
    shape = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 4])
    node = helper.make_node("Constant", [], ["y"], value=weights)
    if in_branch:
        branch = helper.make_graph([node], "then", [], [shape])
        node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    inputs = [helper.make_tensor_value_info("c", TensorProto.BOOL, [])] if in_branch else []
    graph = helper.make_graph([node], "g", inputs, [shape])
    path.write_bytes(helper.make_model(graph).SerializeToString())


def test_whole_file_and_weights_beside_it_are_taken(tmp_path):
    model_save(tmp_path / "whole.onnx")
    assert weights_confined(tmp_path / "whole.onnx", tmp_path) is None
    (tmp_path / "weights.bin").write_bytes(b"0" * 64)
    model_save(tmp_path / "split.onnx", "weights.bin")
    assert weights_confined(tmp_path / "split.onnx", tmp_path) is None


@pytest.mark.parametrize("in_branch", [False, True])
@pytest.mark.parametrize("location", ["/etc/passwd", "../secret.bin", "link.bin"])
def test_weights_elsewhere_on_the_machine_are_refused(tmp_path, location, in_branch):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"0" * 64)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    model_save(folder / "model.onnx", location, in_branch=in_branch)
    with pytest.raises(ModelError, match="outside its folder"):
        weights_confined(folder / "model.onnx", folder)


def test_weights_that_were_not_delivered_and_no_model_at_all_are_told(tmp_path):
    model_save(tmp_path / "model.onnx", "weights.bin")
    with pytest.raises(ModelError, match="save the model as one file"):
        weights_confined(tmp_path / "model.onnx", tmp_path)
    (tmp_path / "text.onnx").write_text("<html>sign in first</html>")
    with pytest.raises(ModelError, match="no ONNX model"):
        weights_confined(tmp_path / "text.onnx", tmp_path)


def test_onnx_itself_agrees_on_what_is_external(tmp_path):
    model_save(tmp_path / "model.onnx", "weights.bin", in_branch=True)
    model = onnx.load(str(tmp_path / "model.onnx"), load_external_data=False)
    tensor = model.graph.node[0].attribute[0].g.node[0].attribute[0].t
    assert onnx.external_data_helper.uses_external_data(tensor)
