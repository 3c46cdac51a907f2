"""Inputs of any batch from a model's own example: its rows, repeated.

Repeating the example keeps token ids inside the vocabulary and masks meaningful, which random
numbers would not.  Arrays cross between runners as numpy; bfloat16 is ml_dtypes' type.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import torch

from benchmarks.errors import ModelError


def example_checked(example: object, where: str) -> tuple[Any, ...]:
    """The example inputs as a tuple of tensors that share their batch, dim 0.

    Raises:
        ModelError: not tensors, a tensor without a batch dimension, or batches that differ.
    """
    tensors = (example,) if isinstance(example, torch.Tensor) else example
    if not isinstance(tensors, tuple | list) or not tensors:
        raise ModelError(
            f"{where}: example_inputs must be a tensor or a tuple of tensors, not {type(example).__name__}"
        )
    for position, tensor in enumerate(tensors):
        if not isinstance(tensor, torch.Tensor):
            raise ModelError(f"{where}: example input {position} is {type(tensor).__name__}, not a tensor")
        if tensor.dim() == 0 or tensor.shape[0] == 0:
            raise ModelError(
                f"{where}: example input {position} has no batch dimension (shape {list(tensor.shape)})"
            )
    batches = {tensor.shape[0] for tensor in tensors}
    if len(batches) > 1:
        raise ModelError(f"{where}: dim 0 of every example input is the batch, found {sorted(batches)}")
    return tuple(tensors)


def example_resized(example: tuple[Any, ...], size: int, where: str) -> tuple[Any, ...]:
    """The example with images of `size` x `size` pixels (dims 2 and 3) or `size` tokens (dim 1).

    Rows and columns of the example are repeated, so that token ids stay in the vocabulary.

    Raises:
        ModelError: no input has a size: neither images nor token ids.
    """
    images = any(tensor.dim() == 4 for tensor in example)
    axes = (2, 3) if images else (1,)
    resized = tuple(
        _repeated(tensor, axes, size) if _is_sized(tensor, images=images) else tensor for tensor in example
    )
    if all(after is before for after, before in zip(resized, example, strict=True)):
        raise ModelError(f"{where}: no input is an image (n, c, h, w) or token ids (n, t), so it has no size")
    return resized


def _is_sized(tensor: Any, *, images: bool) -> bool:
    return tensor.dim() == 4 if images else tensor.dim() == 2 and not tensor.is_floating_point()


def _repeated(tensor: Any, axes: tuple[int, ...], size: int) -> Any:
    for axis in axes:
        tensor = tensor.index_select(axis, torch.arange(size) % tensor.shape[axis])
    return tensor


def tensors_batched(example: tuple[Any, ...], batch: int) -> tuple[Any, ...]:
    """`batch` rows per input, the example's rows repeated; contiguous copies."""
    rows = torch.arange(batch) % example[0].shape[0]
    return tuple(tensor.detach()[rows].contiguous() for tensor in example)


def tensor_array(tensor: Any) -> np.ndarray:
    """The tensor as an array of the same bits."""
    if tensor.dtype == torch.bfloat16:
        return tensor.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.detach().cpu().numpy()


def array_tensor(array: np.ndarray) -> Any:
    """The array as a tensor of the same bits."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
