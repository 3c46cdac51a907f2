"""PyTorch compiled by `torch.compile`; what it compiles is part of binding, for the bound shapes alone."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from benchmarks.errors import CannotRun, ModelError
from benchmarks.runners.torch_runner import TorchRunner

DEFAULT_MODE = "default"


class TorchCompileRunner(TorchRunner):
    """Compiles when inputs are bound: another batch compiles anew."""

    name: ClassVar[str] = "torch_compile"

    def _prepare(self, module: Any) -> Any:
        torch._dynamo.reset()
        mode = self.assets.option("compile_mode", DEFAULT_MODE)
        return torch.compile(module, mode=mode, dynamic=False)

    def bind(self, batch: int) -> None:
        """Inputs of `batch` rows, and the code for them.

        Raises:
            CannotRun: Inductor cannot make code here, for want of a compiler mostly.
            ModelError: the forward pass raised.
        """
        super().bind(batch)
        try:
            self.infer()
        except ModelError as error:
            if type(error.__cause__).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise CannotRun(
                    f"torch.compile cannot compile this here: {error.__cause__}"[:2000]
                ) from error
            raise
