"""int8: onnxruntime's static quantizer, set so that TensorRT takes the graph too.

Weights per channel, activations per tensor, all symmetric: every zero point is 0.  Biases stay
floating point.  Only convolutions and products with constant weights are quantized; an attention's own
two products keep their precision, for they are small and their ranges are wide.  Inputs get a Q/DQ
pair and outputs none: a pair between a convolution and its activation would keep TensorRT from
fusing them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from benchmarks.quantization.graphs import initializers_of, input_names, logs_held_back, nothing_quantized

OPERATORS = ["Conv", "Gemm", "MatMul"]  # a list: the quantizer's own default is a set, in no fixed order
_EXTRA = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "QuantizeBias": False,
    "OpTypesToExcludeOutputQuantization": OPERATORS,
}


class Inputs(CalibrationDataReader):
    """Batches of arrays as the calibration asks for them."""

    def __init__(self, names: list[str], batches: tuple[tuple[np.ndarray, ...], ...]) -> None:
        self._rest = iter([dict(zip(names, batch, strict=True)) for batch in batches])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch by input name, None after the last."""
        return next(self._rest, None)


def graph_make(source: Path, inputs: tuple[tuple[np.ndarray, ...], ...]) -> Any:
    """The quantized onnx model of the file `source`, its ranges those that `inputs` reach.

    Raises:
        CannotRun: the graph has no convolution or product with constant weights.
    """
    model = onnx.load(str(source))
    weights = initializers_of(model)
    chosen = [
        node.name
        for node in model.graph.node
        if node.op_type in OPERATORS and node.input[1] in weights and node.input[0] not in weights
    ]
    if not chosen:
        raise nothing_quantized("int8", OPERATORS)
    with tempfile.TemporaryDirectory() as folder, logs_held_back():
        target = Path(folder) / "quantized.onnx"
        quantize_static(
            source,
            target,
            Inputs(input_names(model), inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=OPERATORS,
            nodes_to_quantize=chosen,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options=_EXTRA,
        )
        return onnx.load(str(target))
