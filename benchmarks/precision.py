"""Precisions by typed export: the module and its inputs are cast before anything is traced.

TensorRT 11 takes the precision from the graph alone, so each precision is its own ONNX file.  The
integer and 8-bit ones are made from an exported graph (see `quantization`); what torch holds of them
is the base they start from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.errors import CannotRun

DTYPES: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "int8": torch.float32,
    "fp8": torch.float16,
    "int4": torch.float16,
}
QUANTIZED = ("int8", "fp8", "int4")


def module_cast(module: Any, precision: str) -> Any:
    """`module` with every floating-point parameter and buffer in `precision`'s type, in place."""
    return module.to(DTYPES[precision])


def tensors_cast(tensors: tuple[Any, ...], precision: str) -> tuple[Any, ...]:
    """Floating-point tensors in `precision`'s type; integer and boolean ones as they are."""
    dtype = DTYPES[precision]
    return tuple(tensor.to(dtype) if tensor.is_floating_point() else tensor for tensor in tensors)


def torch_checked(precision: str, device: str) -> None:
    """Refuse what torch modules do not run in.

    Raises:
        CannotRun: the precision is made from an ONNX graph, or needs a GPU that is not there.
    """
    if precision in QUANTIZED:
        raise CannotRun(f"torch runs no {precision} here: its Q/DQ graph is for onnxruntime and TensorRT")
    if precision == "tf32" and not (device == "cuda" and torch.cuda.is_tf32_supported()):
        raise CannotRun("TensorFloat-32 needs an NVIDIA GPU of compute capability 8.0 or higher")


@dataclass(frozen=True)
class MatmulSettings:
    """torch's process-wide number of threads, and whether TensorFloat-32 is allowed: in matrix products,
    in convolutions."""

    threads: int
    products: bool
    convolutions: bool

    @classmethod
    def now(cls) -> MatmulSettings:
        """As they are."""
        backends = torch.backends
        return cls(torch.get_num_threads(), backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32)

    def restore(self) -> None:
        """Set them back."""
        torch.set_num_threads(self.threads)
        torch.backends.cuda.matmul.allow_tf32 = self.products
        torch.backends.cudnn.allow_tf32 = self.convolutions


def matmul_precision_set(precision: str) -> None:
    """Allow TensorFloat-32 in matrix products and convolutions for `tf32` alone.

    torch allows it in convolutions unless told; fp32 here means IEEE single precision.
    """
    allowed = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
