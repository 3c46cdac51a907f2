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
from benchmarks.models.sizes import images_of, tokens_of


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
    """The example with images of `size` x `size` pixels, or else with `size` tokens.

    Images are floating point, (n, c, h, w); a text beside them stays as it is.  Tokens are the longest
    whole numbers of shape (n, t); every other axis that is t long is resized with them, as masks
    (n, t) and (n, 1, t, t), kinds of tokens and the tokens of a decoder have it.  Rows and columns of
    the example are repeated, so that token ids stay in the vocabulary and masks keep their values.

    Raises:
        ModelError: no input has a size: neither images nor token ids.
    """
    images, tokens = images_of(example), tokens_of(example)
    if not images and tokens is None:
        raise ModelError(f"{where}: no input is an image (n, c, h, w) or token ids (n, t), so it has no size")
    return tuple(_repeated(one, _axes_sized(one, images, tokens), size) for one in example)


def _axes_sized(tensor: Any, images: tuple[Any, ...], tokens: int | None) -> tuple[int, ...]:
    if images:
        return (2, 3) if any(tensor is image for image in images) else ()
    return tuple(axis for axis in range(1, tensor.dim()) if tensor.shape[axis] == tokens)


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
