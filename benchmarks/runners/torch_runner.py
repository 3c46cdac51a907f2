"""PyTorch eager, on the CPU or on CUDA."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, ClassVar

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from benchmarks.errors import CannotCapture, CannotRun, MeasureError, ModelError, is_out_of_memory
from benchmarks.gpu.graphs import Captured, graph_capture
from benchmarks.gpu.streams import stream_return, stream_take
from benchmarks.models.inputs import array_tensor, tensors_batched
from benchmarks.models.source import model_load
from benchmarks.precision import MatmulSettings, matmul_precision_set, torch_checked
from benchmarks.runners.base import Assets, Runner


class TorchRunner(Runner):
    """Loads the module from its source and calls it under `inference_mode`."""

    name: ClassVar[str] = "torch"

    def __init__(self, assets: Assets) -> None:
        super().__init__(assets)
        self._module: Any = None
        self._example: tuple[Any, ...] = ()
        self._inputs: tuple[Any, ...] = ()
        self._output: Any = None
        self._captured: Captured | None = None
        self._before: MatmulSettings | None = None

    def load(self) -> None:
        """Build the module in its precision and move it to the device."""
        if self.assets.source.kind not in ("catalogue", "entry"):
            raise CannotRun(
                f"torch runs modules, and {self.assets.source.ref} is an {self.assets.source.kind} file"
            )
        if self.assets.device == "cuda" and not torch.cuda.is_available():
            raise CannotRun(
                f"there is a GPU, but torch {torch.__version__} cannot use it; "
                "install a CUDA build of torch (pip install 'perfsite[gpu]')"
            )
        torch_checked(self.assets.precision, self.assets.device)
        self._before = MatmulSettings.now()
        model = model_load(self.assets.source, self.assets.checkout, self.assets.precision, self.assets.size)
        self._settle()
        self._module = self._prepare(model.module.to(self.assets.device))
        self._example = model.example
        if self.assets.device == "cuda":
            self._stream = stream_take()
            torch.cuda.synchronize()

    def _settle(self) -> None:
        """Threads and arithmetic are settings of the whole process: another runner may have moved them."""
        torch.set_num_threads(self.assets.threads)
        matmul_precision_set(self.assets.precision)

    def _prepare(self, module: Any) -> Any:
        """What is called: the module itself."""
        return module

    def bind(self, batch: int) -> None:
        """Inputs of `batch` rows on the device."""
        self._settle()
        self._captured = None
        rows = tensors_batched(self._example, batch)
        self._inputs = tuple(tensor.to(self.assets.device) for tensor in rows)
        self._synchronize()

    def feed(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Copy the arrays into the bound inputs."""
        with torch.inference_mode(), self._on_stream():
            for bound, array in zip(self._inputs, arrays, strict=True):
                bound.copy_(array_tensor(array), non_blocking=True)

    def infer(self) -> None:
        """One forward pass; on CUDA it waits for the GPU.

        Raises:
            ModelError: the forward pass raised.
        """
        self.submit()
        self.wait()

    def submit(self) -> None:
        """Enqueue one forward pass, or replay its graph.

        Raises:
            ModelError: the forward pass raised.
        """
        if self._captured is not None:
            self._captured.replay()
            return
        with torch.inference_mode(), self._on_stream():
            self._call()

    def _call(self) -> None:
        try:
            self._output = self._module(*self._inputs)
        except Exception as error:
            words = f"{self.assets.source.ref}: forward raised {type(error).__name__}: {error}"
            # memory that ran out at this batch says nothing against the model at another
            raise (MeasureError(words) if is_out_of_memory(error) else ModelError(words)) from error

    @property
    def captured(self) -> bool:
        """Whether `submit` replays a graph."""
        return self._captured is not None

    def capture(self) -> None:
        """Record the forward pass of the bound inputs.

        Raises:
            CannotCapture: the model does not allow it, or the case switched it off.
        """
        if self._stream is None:
            super().capture()
        if not self.assets.option("graph", default=True):
            raise CannotCapture("the case switched CUDA graphs off")
        with torch.inference_mode():
            self._captured = graph_capture(self._call, self._stream)

    def outputs(self) -> tuple[np.ndarray, ...]:
        """Every tensor the module returned, however nested, as float32 where it is floating point.

        Raises:
            ModelError: it returned none.
        """
        self.wait()
        found = [leaf for leaf in tree_leaves(self._output) if isinstance(leaf, torch.Tensor)]
        if not found:
            raise ModelError(
                f"{self.assets.source.ref}: forward returned no tensor but {type(self._output).__name__}"
            )
        return tuple(_host(tensor) for tensor in found)

    def memory(self) -> dict[str, int]:
        """Bytes that torch's CUDA allocator gave out and held, now and at its peak."""
        if self.assets.device != "cuda":
            return {}
        return {
            "allocated": int(torch.cuda.memory_allocated()),
            "reserved": int(torch.cuda.memory_reserved()),
            "allocated_peak": int(torch.cuda.max_memory_allocated()),
            "reserved_peak": int(torch.cuda.max_memory_reserved()),
        }

    def close(self) -> None:
        """Drop the module and, on CUDA, the allocator's cache."""
        self._module, self._output, self._captured = None, None, None
        self._example, self._inputs = (), ()
        if self._before is not None:
            self._before.restore()
            self._before = None
        if self._stream is not None:
            torch.cuda.synchronize()
            stream_return(self._stream)
            self._stream = None
            torch.cuda.empty_cache()

    def _on_stream(self) -> Any:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def _synchronize(self) -> None:
        if self._stream is not None:
            torch.cuda.synchronize()


def _host(tensor: Any) -> np.ndarray:
    copied = tensor.cpu()  # first: twice the bytes would cross otherwise
    return (copied.float() if copied.is_floating_point() else copied).numpy()
