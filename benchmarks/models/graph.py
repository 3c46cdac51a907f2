"""Example inputs for an ONNX file that came without any: seeded, one row, of the declared types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.errors import ModelError

SEED = 0


def graph_example(path: Path) -> tuple[np.ndarray, ...]:
    """One array per graph input, in the graph's order, dim 0 the batch.

    Floating-point inputs are standard normal, integers and booleans one: token ids and masks that
    every model takes.

    Raises:
        ModelError: the file is no ONNX model, or an input has a free dimension besides the batch.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise ModelError(f"{path.name} is no ONNX model: {error}") from error
    weights = {initializer.name for initializer in model.graph.initializer}
    generator = np.random.default_rng(SEED)
    inputs = [value for value in model.graph.input if value.name not in weights]
    return tuple(_array_make(value, generator, path.name) for value in inputs)


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
