"""Precisions by typed export: the module and its inputs are cast before anything is traced.

TensorRT 11 takes the precision from the graph alone, so each precision is its own ONNX file.
"""

from __future__ import annotations

from typing import Any

import torch

DTYPES: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}


def module_cast(module: Any, precision: str) -> Any:
    """`module` with every floating-point parameter and buffer in `precision`, in place."""
    return module.to(DTYPES[precision])


def tensors_cast(tensors: tuple[Any, ...], precision: str) -> tuple[Any, ...]:
    """Floating-point tensors in `precision`; integer and boolean ones as they are."""
    dtype = DTYPES[precision]
    return tuple(tensor.to(dtype) if tensor.is_floating_point() else tensor for tensor in tensors)
