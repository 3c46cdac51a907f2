"""The tensors an engine reads and writes: torch's, on the GPU, known to the engine by their address."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.errors import CannotRun, MeasureError
from benchmarks.models.arrays import arrays_batched
from benchmarks.models.inputs import array_tensor
from benchmarks.runners.tensorrt_profiles import profile_select

SEED = 0
TORCH_TYPES = {
    "FLOAT": torch.float32,
    "HALF": torch.float16,
    "BF16": torch.bfloat16,
    "FP8": torch.float8_e4m3fn,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "INT8": torch.int8,
    "UINT8": torch.uint8,
    "BOOL": torch.bool,
}


def device_check(runner: str, device: str) -> None:
    """Nothing, where `runner` can get its buffers.

    Raises:
        CannotRun: there is no GPU, or torch cannot use it.
    """
    if device != "cuda":
        raise CannotRun(f"{runner} needs an NVIDIA GPU to run an engine, and this machine has none")
    if not torch.cuda.is_available():
        raise CannotRun(
            f"{runner} takes its buffers from torch, and torch {torch.__version__} has no CUDA; "
            "install a CUDA build of torch (pip install 'perfsite[gpu]')"
        )


def names_of(trt: Any, engine: Any) -> tuple[list[str], list[str]]:
    """The engine's inputs and its outputs, in its own order."""
    names = [engine.get_tensor_name(position) for position in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    return inputs, [name for name in names if name not in inputs]


def type_of(engine: Any, name: str) -> torch.dtype:
    """The torch type of a tensor of the engine.

    Raises:
        CannotRun: torch has none like it.
    """
    kind = engine.get_tensor_dtype(name).name
    if kind not in TORCH_TYPES:
        raise CannotRun(
            f"tensor {name!r} of the engine is of type {kind}, for which torch has no tensors; "
            "cast it inside the graph"
        )
    return TORCH_TYPES[kind]


def inputs_make(
    engine: Any, inputs: list[str], example: tuple[np.ndarray, ...], batch: int
) -> dict[str, torch.Tensor]:
    """`batch` rows per input on the GPU: the model's example, or seeded ones for a bare engine.

    Raises:
        CannotRun: a bare engine leaves a dimension besides the batch free.
    """
    if example:
        arrays = arrays_batched(example, batch)
        return {
            name: array_tensor(array).to("cuda", type_of(engine, name))
            for name, array in zip(inputs, arrays, strict=True)
        }
    generator = torch.Generator(device="cuda").manual_seed(SEED)
    return {name: _rows_make(engine, name, batch, generator) for name in inputs}


def _rows_make(engine: Any, name: str, batch: int, generator: torch.Generator) -> torch.Tensor:
    shape = list(engine.get_tensor_shape(name))
    if -1 in shape[1:]:
        raise CannotRun(
            f"input {name!r} of the engine has a free dimension besides the batch ({shape}); "
            "give the ONNX file or the module instead, whose example fixes it"
        )
    rows = (batch if shape[:1] == [-1] else shape[0], *shape[1:]) if shape else ()
    dtype = type_of(engine, name)
    if dtype.is_floating_point:
        return torch.randn(rows, generator=generator, device="cuda").to(dtype)
    return torch.ones(rows, dtype=dtype, device="cuda")


def context_bind(engine: Any, context: Any, inputs: dict[str, torch.Tensor], stream: Any) -> None:
    """Tell the context the profile (see `tensorrt_profiles`), the inputs' shapes and their addresses.

    Raises:
        MeasureError: the engine was not built for such shapes.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in inputs.items()}
    profile_select(engine, context, shapes, stream)
    for name, tensor in inputs.items():
        if not context.set_input_shape(name, shapes[name]):
            raise MeasureError(
                f"the engine does not take {name!r} of shape {shapes[name]}; build it for this batch"
            )
        context.set_tensor_address(name, tensor.data_ptr())
    unknown = context.infer_shapes()
    if unknown:
        raise MeasureError(
            f"the engine does not know the shape of {', '.join(unknown)}; give an example input for each"
        )


def outputs_make(engine: Any, context: Any, outputs: list[str]) -> dict[str, torch.Tensor]:
    """Outputs of the shapes that follow from the bound inputs, on the GPU.

    Raises:
        CannotRun: the size of one depends on values.
    """
    made = {}
    for name in outputs:
        shape = tuple(context.get_tensor_shape(name))
        if -1 in shape:
            raise CannotRun(
                f"the size of output {name!r} depends on values ({list(shape)}), so no buffer can be placed "
                "beforehand; let the graph return a tensor of known shape"
            )
        made[name] = torch.empty(shape, dtype=type_of(engine, name), device="cuda")
    outputs_bind(context, made)
    return made


def outputs_bind(context: Any, outputs: dict[str, torch.Tensor]) -> None:
    """Tell the context where the outputs go."""
    for name, tensor in outputs.items():
        context.set_tensor_address(name, tensor.data_ptr())
