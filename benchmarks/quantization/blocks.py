"""int4: the weights of matrix products in blocks of 64 with a scale each, everything else as it was.

The blocks are plain DequantizeLinear nodes before MatMul: TensorRT takes them as they are, and
onnxruntime makes one node of each pair (MatMulNBits).  Round to nearest, symmetric, no calibration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import QuantFormat
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from benchmarks.quantization.graphs import initializers_of, logs_held_back, nothing_quantized

BLOCK = 64  # TensorRT takes 64 and 128; onnxruntime powers of two from 16


def graph_make(source: Path, inputs: tuple[tuple[np.ndarray, ...], ...]) -> Any:
    """The quantized onnx model of the file `source`; `inputs` are not needed.

    Raises:
        CannotRun: no matrix product has constant weights whose rows fill whole blocks.
    """
    model = onnx.load(str(source))
    weights = initializers_of(model)
    odd = [node.name for node in model.graph.node if node.op_type == "MatMul" and not _fits(node, weights)]
    with logs_held_back():
        quantizer = MatMulNBitsQuantizer(
            model,
            bits=4,
            block_size=BLOCK,
            is_symmetric=True,
            nodes_to_exclude=odd,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=("MatMul",),
        )
        quantizer.process()
    made = quantizer.model.model
    if not any(node.op_type == "DequantizeLinear" for node in made.graph.node):
        raise nothing_quantized("int4", ["MatMul"])
    return made


def _fits(node: Any, weights: dict[str, Any]) -> bool:
    weight = weights.get(node.input[1])
    return weight is not None and len(weight.dims) == 2 and weight.dims[0] % BLOCK == 0
