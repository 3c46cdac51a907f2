"""PyTorch eager, on the CPU or on CUDA."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from benchmarks.errors import CannotRun, ModelError
from benchmarks.models.inputs import tensors_batched
from benchmarks.models.source import model_load
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
        model = model_load(self.assets.source, self.assets.checkout, self.assets.precision)
        torch.set_num_threads(self.assets.threads)
        self._module = model.module.to(self.assets.device)
        self._example = model.example

    def bind(self, batch: int) -> None:
        """Inputs of `batch` rows on the device."""
        rows = tensors_batched(self._example, batch)
        self._inputs = tuple(tensor.to(self.assets.device) for tensor in rows)

    @torch.inference_mode()
    def infer(self) -> None:
        """One forward pass; on CUDA it waits for the GPU.

        Raises:
            ModelError: the forward pass raised.
        """
        try:
            self._output = self._module(*self._inputs)
        except Exception as error:
            raise ModelError(
                f"{self.assets.source.ref}: forward raised {type(error).__name__}: {error}"
            ) from error
        if self.assets.device == "cuda":
            torch.cuda.synchronize()

    def outputs(self) -> tuple[np.ndarray, ...]:
        """Every tensor the module returned, as float32 where it is floating point."""
        found = (self._output,) if isinstance(self._output, torch.Tensor) else tuple(self._output)
        return tuple(_host(tensor) for tensor in found if isinstance(tensor, torch.Tensor))

    def memory(self) -> dict[str, int]:
        """Peak bytes that torch's CUDA allocator gave out and held."""
        if self.assets.device != "cuda":
            return {}
        return {
            "torch_allocated_peak": int(torch.cuda.max_memory_allocated()),
            "torch_reserved_peak": int(torch.cuda.max_memory_reserved()),
        }

    def close(self) -> None:
        """Drop the module and, on CUDA, the allocator's cache."""
        self._module, self._output = None, None
        self._example, self._inputs = (), ()
        if self.assets.device == "cuda":
            torch.cuda.empty_cache()


def _host(tensor: Any) -> np.ndarray:
    plain = tensor.float() if tensor.is_floating_point() else tensor
    return plain.cpu().numpy()
