"""fp8: Q/DQ nodes of E4M3 before each convolution and product with constant weights.

Scales are per tensor, the largest magnitude over 448, the largest number of E4M3 (Micikevicius et
al. 2022, "FP8 formats for deep learning"); a floating-point type needs no scale per channel to keep
small weights.  Convolutions whose channels are no multiples of 16 stay as they are: NVIDIA's kernels
take none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from benchmarks.quantization.graphs import (
    initializers_of,
    initializers_trim,
    input_names,
    nothing_quantized,
)

OPERATORS = ["Conv", "Gemm", "MatMul"]
LARGEST = 448.0
_CHANNELS = 16
_KIND = onnx.TensorProto.FLOAT8E4M3FN
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


def graph_make(source: Path, inputs: tuple[tuple[np.ndarray, ...], ...]) -> Any:
    """The quantized onnx model of the file `source`, its scales those that `inputs` reach.

    Raises:
        CannotRun: the graph has no convolution or product with constant weights that fit.
    """
    model = onnx.load(str(source))
    weights = initializers_of(model)
    chosen = [node for node in model.graph.node if _fits(node, weights)]
    if not chosen:
        raise nothing_quantized("fp8", OPERATORS)
    peaks = _peaks_measure(model, list(dict.fromkeys(node.input[0] for node in chosen)), inputs)
    pairs = _Pairs(weights, peaks)
    nodes = []
    for node in model.graph.node:
        if node in chosen:
            kind = weights[node.input[1]].data_type
            nodes += pairs.before(node, kind)
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(pairs.constants)
    initializers_trim(model)
    return model


def _fits(node: Any, weights: dict[str, Any]) -> bool:
    if node.op_type not in OPERATORS or node.input[1] not in weights or node.input[0] in weights:
        return False
    weight = weights[node.input[1]]
    if weight.data_type not in _FLOATS:
        return False
    return node.op_type != "Conv" or not any(channels % _CHANNELS for channels in weight.dims[:2])


def _peaks_measure(
    model: Any, names: list[str], batches: tuple[tuple[np.ndarray, ...], ...]
) -> dict[str, float]:
    """The largest magnitude of each tensor over the batches, on the CPU."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    known = {value.name for value in (*watched.graph.output, *watched.graph.input)}
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fed = input_names(model)
    asked = [name for name in names if name not in fed]
    peaks = dict.fromkeys(names, 0.0)
    for batch in batches:
        feeds = dict(zip(fed, batch, strict=True))
        found = dict(zip(asked, session.run(asked, feeds), strict=True)) if asked else {}
        for name in names:
            array = found[name] if name in found else feeds[name]
            peaks[name] = max(peaks[name], float(np.abs(array.astype(np.float32)).max()))
    return peaks


class _Pairs:
    """Makes each tensor's Q/DQ pair once and leads the nodes' inputs to it."""

    def __init__(self, weights: dict[str, Any], peaks: dict[str, float]) -> None:
        self.constants: list[Any] = []
        self._weights, self._peaks = weights, peaks
        self._done: set[str] = set()

    def before(self, node: Any, kind: int) -> list[Any]:
        """The new nodes to put before `node`, whose two first inputs they become."""
        made = []
        for position in (0, 1):
            name = node.input[position]
            node.input[position] = f"{name}_fp8_out"
            if name not in self._done:
                self._done.add(name)
                made += self._weight(name) if position else self._activation(name, kind)
        return made

    def _activation(self, name: str, kind: int) -> list[Any]:
        self._scale(name, self._peaks[name], kind)
        self.constants.append(helper.make_tensor(f"{name}_fp8_zero", _KIND, [], b"\0", raw=True))
        rest = [f"{name}_fp8_scale", f"{name}_fp8_zero"]
        return [
            helper.make_node("QuantizeLinear", [name, *rest], [f"{name}_fp8"], name=f"{name}_fp8_quantize"),
            self._dequantize(name),
        ]

    def _weight(self, name: str) -> list[Any]:
        tensor = self._weights[name]
        values = numpy_helper.to_array(tensor).astype(np.float32)
        scale = self._scale(name, float(np.abs(values).max()), tensor.data_type)
        small = np.clip(values / scale, -LARGEST, LARGEST).astype(ml_dtypes.float8_e4m3fn)
        self.constants += [
            helper.make_tensor(f"{name}_fp8", _KIND, tensor.dims, small.tobytes(), raw=True),
            helper.make_tensor(f"{name}_fp8_zero", _KIND, [], b"\0", raw=True),
        ]
        return [self._dequantize(name)]

    def _scale(self, name: str, peak: float, kind: int) -> float:
        """Store the scale as the tensor's own type holds it, and tell it."""
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        scale = np.asarray(max(peak / LARGEST, float(np.finfo(dtype).tiny)), dtype=dtype)
        self.constants.append(numpy_helper.from_array(scale, f"{name}_fp8_scale"))
        return float(scale)

    def _dequantize(self, name: str) -> Any:
        inputs = [f"{name}_fp8", f"{name}_fp8_scale", f"{name}_fp8_zero"]
        return helper.make_node(
            "DequantizeLinear", inputs, [f"{name}_fp8_out"], name=f"{name}_fp8_dequantize"
        )
