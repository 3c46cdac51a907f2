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


def tensors_batched(example: tuple[Any, ...], batch: int) -> tuple[Any, ...]:
    """`batch` rows per input, the example's rows repeated; contiguous copies."""
    rows = torch.arange(batch) % example[0].shape[0]
    return tuple(tensor.detach()[rows].contiguous() for tensor in example)


def tensor_array(tensor: Any) -> np.ndarray:
    """The tensor as an array of the same bits."""
    if tensor.dtype == torch.bfloat16:
        return tensor.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.detach().cpu().numpy()
