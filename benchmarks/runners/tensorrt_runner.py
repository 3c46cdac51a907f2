"""TensorRT 10 and 11 and TensorRT-RTX: one adapter over engines, buffers held by torch."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from benchmarks.errors import CannotRun, MeasureError
from benchmarks.models.arrays import arrays_batched
from benchmarks.models.inputs import array_tensor
from benchmarks.runners.base import Assets, Runner, artifact_required
from benchmarks.runners.tensorrt_library import library_import, logger_make

SEED = 0
_TORCH_TYPES = {
    "FLOAT": torch.float32,
    "HALF": torch.float16,
    "BF16": torch.bfloat16,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "INT8": torch.int8,
    "UINT8": torch.uint8,
    "BOOL": torch.bool,
}


class TensorRTRunner(Runner):
    """Deserialises a sealed engine and runs it with `execute_async_v3` on a stream of its own."""

    name: ClassVar[str] = "tensorrt"

    def __init__(self, assets: Assets) -> None:
        super().__init__(assets)
        self._log: list[str] = []
        self._keep: tuple[Any, ...] = ()  # logger and runtime must outlive the engine
        self._trt: Any = None
        self._engine: Any = None
        self._context: Any = None
        self._stream: Any = None
        self._tensors: dict[str, Any] = {}

    def load(self) -> None:
        """Read the engine back.

        Raises:
            MissingLibrary: TensorRT is not installed.
            CannotRun: there is no GPU, or the engine does not fit this one.
            IntegrityError: the engine file is not the sealed one.
        """
        self._trt = library_import(self.name)
        if self.assets.device != "cuda":
            raise CannotRun(f"{self.name} needs an NVIDIA GPU to run an engine, and this machine has none")
        if not torch.cuda.is_available():
            raise CannotRun(
                f"{self.name} takes its buffers from torch, and torch {torch.__version__} has no CUDA"
            )
        plan = artifact_required(self.assets.engine, self.name, "an engine").verified().read_bytes()
        logger = logger_make(self._trt, self._log)
        runtime = self._trt.Runtime(logger)
        self._engine = runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise CannotRun(
                f"{self.name} {self._trt.__version__} refuses this engine: {' '.join(self._log[-3:])}"
            )
        self._keep = (logger, runtime)
        self._context = self._engine.create_execution_context()
        self._stream = torch.cuda.Stream()

    def layer_count(self) -> int:
        """Layers of the loaded engine, after fusion."""
        return int(self._engine.num_layers)

    def bind(self, batch: int) -> None:
        """Inputs of `batch` rows and outputs of the shapes that follow, all on the GPU."""
        names = [self._engine.get_tensor_name(position) for position in range(self._engine.num_io_tensors)]
        inputs = [name for name in names if self._is_input(name)]
        self._tensors = {}
        for name, tensor in zip(inputs, self._rows(inputs, batch), strict=True):
            if not self._context.set_input_shape(name, tuple(tensor.shape)):
                raise MeasureError(
                    f"the engine refuses shape {tuple(tensor.shape)} for {name!r}; rebuild it for this batch"
                )
            self._place(name, tensor)
        for name in names:
            if name not in self._tensors:
                shape = tuple(self._context.get_tensor_shape(name))
                self._place(name, torch.empty(shape, dtype=self._type_of(name), device="cuda"))
        torch.cuda.synchronize()

    def _rows(self, inputs: list[str], batch: int) -> tuple[Any, ...]:
        """`batch` rows per input on the GPU: the model's example, or seeded ones for a bare engine."""
        if self.assets.example:
            arrays = arrays_batched(self.assets.example, batch)
            return tuple(
                array_tensor(array).to("cuda", self._type_of(name))
                for name, array in zip(inputs, arrays, strict=True)
            )
        torch.manual_seed(SEED)
        return tuple(self._rows_make(name, batch) for name in inputs)

    def _rows_make(self, name: str, batch: int) -> Any:
        shape = list(self._engine.get_tensor_shape(name))
        if -1 in shape[1:]:
            raise CannotRun(
                f"input {name!r} of the engine has a free dimension besides the batch ({shape}); "
                "give the ONNX file or the module instead, whose example fixes it"
            )
        rows = (batch if shape[0] == -1 else shape[0], *shape[1:])
        dtype = self._type_of(name)
        if dtype.is_floating_point:
            return torch.randn(rows, device="cuda").to(dtype)
        return torch.ones(rows, dtype=dtype, device="cuda")

    def feed(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Copy the arrays into the bound inputs, on the runner's stream."""
        inputs = [name for name in self._tensors if self._is_input(name)]
        with torch.cuda.stream(self._stream):
            for name, array in zip(inputs, arrays, strict=True):
                self._tensors[name].copy_(array_tensor(array), non_blocking=True)

    def _is_input(self, name: str) -> bool:
        return bool(self._engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT)

    def _type_of(self, name: str) -> Any:
        return _TORCH_TYPES[self._engine.get_tensor_dtype(name).name]

    def _place(self, name: str, tensor: Any) -> None:
        self._tensors[name] = tensor
        self._context.set_tensor_address(name, tensor.data_ptr())

    def infer(self) -> None:
        """One execution, awaited on the runner's stream.

        Raises:
            MeasureError: TensorRT refused to enqueue it.
        """
        if not self._context.execute_async_v3(self._stream.cuda_stream):
            raise MeasureError(f"{self.name} could not enqueue: {' '.join(self._log[-3:])}")
        self._stream.synchronize()

    def outputs(self) -> tuple[np.ndarray, ...]:
        """The engine's outputs, floating point as float32."""
        found = []
        for name, tensor in self._tensors.items():
            if self._engine.get_tensor_mode(name) == self._trt.TensorIOMode.OUTPUT:
                found.append((tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy())
        return tuple(found)

    def memory(self) -> dict[str, int]:
        """Bytes of scratch memory that a context of the engine needs."""
        return {"engine_context": int(self._engine.device_memory_size_v2)}

    def close(self) -> None:
        """Free context, engine and buffers, in that order."""
        self._context = None
        self._engine = None
        self._tensors, self._keep = {}, ()


class TensorRTRTXRunner(TensorRTRunner):
    """The same over TensorRT-RTX."""

    name: ClassVar[str] = "tensorrt_rtx"
