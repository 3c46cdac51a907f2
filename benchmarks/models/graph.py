"""Example inputs for an ONNX file that came without any: seeded, one row, of the declared types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.errors import ModelError

SEED = 0


def graph_read(path: Path) -> Any:
    """The model of an ONNX file, without weights that lie in other files.

    Raises:
        ModelError: the file is no ONNX model.
    """
    try:
        return onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise ModelError(f"{path.name} is no ONNX model: {error}") from error


def graph_example(model: Any, where: str) -> tuple[np.ndarray, ...]:
    """One array per graph input, in the graph's order, dim 0 the batch; `where` names the model in errors.

    Floating-point inputs are standard normal, integers and booleans one: token ids and masks that
    every model takes.

    Raises:
        ModelError: an input has no batch, or a free dimension besides it.
    """
    weights = {initializer.name for initializer in model.graph.initializer}
    generator = np.random.default_rng(SEED)
    inputs = [value for value in model.graph.input if value.name not in weights]
    return tuple(_array_make(value, generator, where) for value in inputs)


def weights_confined(path: Path, folder: Path) -> None:
    """See that weights which the file keeps in other files (external data) lie inside `folder`.

    A file from somebody else could name any file of this machine as its weights, and its outputs would tell
    what is in it.

    Raises:
        ModelError: the file is no ONNX model, or one of those files is missing or lies outside.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise ModelError(f"{path.name} is no ONNX model: {error}") from error
    root = folder.resolve()
    for location in sorted(set(weights_locations(model))):
        other = (path.parent / location).resolve()
        if Path(location).is_absolute() or not other.is_relative_to(root):
            raise ModelError(
                f"{path.name} keeps weights in {location!r}, outside its folder; that is refused"
            )
        if not other.is_file():
            raise ModelError(
                f"{path.name} keeps weights in {location!r}, which is not there; save the model as one file "
                "(onnx.save with save_as_external_data=False)"
            )


def weights_locations(model: onnx.ModelProto) -> Iterator[str]:
    """Where tensors are kept that are not in the file: weights, constants, those of subgraphs."""
    waiting: list[Any] = [model.graph, *model.functions]
    while waiting:
        part = waiting.pop()
        tensors = list(getattr(part, "initializer", ()))
        sparse = list(getattr(part, "sparse_initializer", ()))
        for attribute in (one for node in part.node for one in node.attribute):
            tensors += [attribute.t, *attribute.tensors]
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
            waiting += [one for one in (attribute.g, *attribute.graphs) if one.node or one.initializer]
        tensors += [half for one in sparse for half in (one.values, one.indices)]
        for tensor in tensors:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                yield from (pair.value for pair in tensor.external_data if pair.key == "location")


def _array_make(value: Any, generator: np.random.Generator, where: str) -> np.ndarray:
    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    shape = tuple(dim.dim_value for dim in tensor.shape.dim)
    if not shape:
        raise ModelError(f"{where}: input {value.name!r} has no batch dimension")
    if 0 in shape[1:]:
        free = tensor.shape.dim[shape.index(0, 1)].dim_param or "?"
        raise ModelError(
            f"{where}: input {value.name!r} has the free dimension {free!r} besides the batch; "
            "fix it in the file (onnxruntime.tools.make_dynamic_shape_fixed does)"
        )
    rows = (shape[0] or 1, *shape[1:])
    if dtype.kind in "fV":  # V: bfloat16 and its like
        return generator.standard_normal(rows).astype(dtype)
    return np.ones(rows, dtype=dtype)
