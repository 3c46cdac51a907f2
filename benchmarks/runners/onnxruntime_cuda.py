"""ONNX Runtime on a GPU: buffers of torch at fixed addresses, a stream of its own, CUDA graphs.

A session is of one batch: its free dimension is fixed, so that the shape arithmetic of the graph
folds into constants.  Left free, onnxruntime computes shapes on the CPU, between kernels, and the
model can be neither kept on the GPU nor captured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime
import torch  # first of all: it brings the CUDA libraries that the provider finds loaded then

from benchmarks.errors import CannotRun
from benchmarks.gpu.streams import stream_return as stream_return
from benchmarks.gpu.streams import stream_take
from benchmarks.models.inputs import array_tensor
from benchmarks.runners.base import Assets
from benchmarks.runners.onnxruntime_session import (
    BATCH,
    CUDA,
    GRAPH_OPTION,
    FellBack,
    Plan,
    free_name,
    nodes_on,
    session_open,
)

UNCAPTURED = -1  # the graph id that neither records nor replays
CAPTURED = 1  # a session is of one batch and one set of buffers, so that one id is enough
# their output's shape depends on values: the host waits for the GPU to count them, and a capture that is
# tried all the same breaks the CUDA context of the whole process
WAITING = frozenset({"Compress", "NonMaxSuppression", "NonZero", "Unique"})
CAPTURE_RUNS = 4  # onnxruntime runs twice, records the third run and replays from then on
_KINDS = {  # onnx.TensorProto's numbers
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    16: torch.bfloat16,
}
_NUMBERS = {dtype: number for number, dtype in _KINDS.items()}


def runner_stream() -> Any:
    """A stream of torch for one runner, from `stream_take`.

    Raises:
        CannotRun: torch cannot use the GPU, and gives the buffers.
    """
    if not torch.cuda.is_available():
        raise CannotRun(
            f"onnxruntime takes its buffers from torch, and torch {torch.__version__} cannot use the GPU; "
            "install a CUDA build of torch (pip install 'perfsite[gpu]')"
        )
    return stream_take()


def plan_for_gpu(plan: Plan, assets: Assets, stream: Any, *, graph: bool) -> Plan:
    """The plan with the stream, the graph switch and the arithmetic that the case asks for."""
    first = plan.providers[0][0]
    common = {"device_id": str(torch.cuda.current_device()), "user_compute_stream": str(stream.cuda_stream)}
    switch = {GRAPH_OPTION[first]: "1"} if graph else {}
    # an exhaustive search picks convolutions by timing them: seconds a load, and the luck of a process
    cuda = {"use_tf32": "1" if assets.precision == "tf32" else "0", "cudnn_conv_algo_search": "HEURISTIC"}
    providers = []
    for name, given in plan.providers:
        own = {**common, **(switch if name == first else {}), **(cuda if name == CUDA else {})}
        providers.append((name, {**own, **given}))
    return replace(plan, providers=tuple(providers), strict=True, threads=1)  # no node is the CPU's


def session_of_batch(plan: Plan, batch: int) -> tuple[Any, str]:
    """A session whose free dimension is `batch`, and why it records no CUDA graph ("" when it does).

    Raises:
        CannotRun: it cannot be opened on the GPU alone.
    """
    fixed = replace(plan, dimensions=((BATCH, batch),))
    try:
        session = _named_open(fixed, batch)
        return session, _waits_of(session, plan.providers[0][0]) if plan.strict else ""
    except FellBack:
        raise
    except CannotRun as refusal:  # of the graph capture perhaps: control flow allows none
        if fixed == fixed.uncaptured():
            raise
        return _named_open(fixed.uncaptured(), batch), str(refusal)


def _waits_of(session: Any, provider: str) -> str:
    """The nodes that make the host wait for the GPU, as a reason; "" without any."""
    waiting = [node for node in nodes_on(session, provider) if node.split()[0] in WAITING]
    return f"the host waits for {', '.join(waiting[:5])} to know a shape" if waiting else ""


def _named_open(plan: Plan, batch: int) -> Any:
    """Opened once more where the file calls its batch something else."""
    try:
        session = session_open(plan)
    except FellBack:  # shape arithmetic perhaps, which a fixed batch folds away
        name = free_name(plan)
        if name is None:
            raise
        return session_open(replace(plan, dimensions=((name, batch),)))
    name = session.get_inputs()[0].shape[0]
    return session if not isinstance(name, str) else session_open(replace(plan, dimensions=((name, batch),)))


def run_options(graph: int) -> Any:
    """Options of one run: it does not wait for the GPU."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("disable_synchronize_execution_providers", "1")
    options.add_run_config_entry("gpu_graph_id", str(graph))
    return options


@dataclass(frozen=True)
class Buffers:
    """A session's inputs and outputs, tensors on the GPU whose addresses the binding holds."""

    binding: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    stream: Any

    def feed(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Copy the arrays into the inputs, on the stream."""
        with torch.cuda.stream(self.stream):
            for tensor, array in zip(self.inputs, arrays, strict=True):
                tensor.copy_(array_tensor(array), non_blocking=True)

    def read(self) -> tuple[np.ndarray, ...]:
        """The outputs on the host, floating point as float32, once the stream is idle."""
        self.stream.synchronize()
        copied = [tensor.cpu() for tensor in self.outputs]  # first: twice the bytes would cross otherwise
        return tuple((tensor.float() if tensor.is_floating_point() else tensor).numpy() for tensor in copied)


def buffers_bind(session: Any, arrays: tuple[np.ndarray, ...], stream: Any) -> Buffers:
    """Buffers that hold `arrays`, and outputs of the shapes that one run of them gives."""
    binding = session.io_binding()
    inputs = tuple(array_tensor(array).to("cuda") for array in arrays)
    for node, tensor in zip(session.get_inputs(), inputs, strict=True):
        binding.bind_input(node.name, *_place_of(tensor))
    names = [node.name for node in session.get_outputs()]
    for name in names:
        binding.bind_output(name, "cuda", torch.cuda.current_device())
    torch.cuda.synchronize()
    session.run_with_iobinding(binding, run_options(UNCAPTURED))
    stream.synchronize()
    outputs = tuple(
        torch.empty(tuple(value.shape()), dtype=_KINDS[value.element_type()], device="cuda")
        for value in binding.get_outputs()
    )
    binding.clear_binding_outputs()
    for name, tensor in zip(names, outputs, strict=True):
        binding.bind_output(name, *_place_of(tensor))
    torch.cuda.synchronize()
    return Buffers(binding, inputs, outputs, stream)


def _place_of(tensor: Any) -> tuple[str, int, int, tuple[int, ...], int]:
    """Device, its number, element type, shape and address, as a binding takes them."""
    return ("cuda", tensor.device.index, _NUMBERS[tensor.dtype], tuple(tensor.shape), tensor.data_ptr())
