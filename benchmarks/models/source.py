"""From a model's source to a module ready to run: catalogue names and entry points."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.cases import ModelSource
from benchmarks.errors import ModelError
from benchmarks.models.catalogue import catalogue_build
from benchmarks.models.entry import entry_call
from benchmarks.models.inputs import example_checked, example_resized, tensor_array
from benchmarks.models.limits import size_checked
from benchmarks.precision import module_cast, tensors_cast

SEED = 0


@dataclass(frozen=True)
class LoadedModel:
    """A module in evaluation mode and its example inputs, both in the precision asked for."""

    module: Any
    example: tuple[Any, ...]
    precision: str

    @property
    def parameter_count(self) -> int:
        """Numbers in the parameters, each shared one counted once."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    def libraries(self, checkout: Path) -> tuple[str, ...]:
        """The installed modules that its parts come from, none of the checkout's own.

        A process that has imported these is charged for little but the model when it loads it.
        """
        names = dict.fromkeys(type(part).__module__ for part in self.module.modules())
        return tuple(name for name in names if not _is_own(name, checkout.resolve()))


def _is_own(module: str, checkout: Path) -> bool:
    """Whether a module is the checkout's; an environment that lies in it is not."""
    file = Path(getattr(sys.modules.get(module), "__file__", None) or checkout).resolve()
    return file.is_relative_to(checkout) and not file.is_relative_to(sys.prefix)


def model_load(source: ModelSource, checkout: Path, precision: str, size: int | None = None) -> LoadedModel:
    """Build the module with seeded weights, on the CPU, in `precision`, its example resized to `size`.

    Raises:
        ModelError: the source is missing, raises, or returns something else than a module and its
            example inputs; an ONNX file or an engine is no module.
    """
    torch.set_num_threads(1)  # whatever the cores, the same weights; runners set their own number
    random.seed(SEED)
    np.random.seed(SEED)  # the watched code may draw from the legacy generator
    torch.manual_seed(SEED)
    if source.kind == "catalogue":
        returned: object = catalogue_build(source.ref)
    elif source.kind == "entry":
        returned = entry_call(source.ref, checkout)
    else:
        raise ModelError(f"{source.ref} is an {source.kind} file, not a torch module")
    module, example = _pair_checked(returned, source.ref)
    tensors = example_checked(example, source.ref)
    if size is not None:
        tensors = example_resized(tensors, size, source.ref)
        size_checked(module, tensors, size, source.ref)
    module = module_cast(module.eval().requires_grad_(False), precision)
    return LoadedModel(module=module, example=tensors_cast(tensors, precision), precision=precision)


def _pair_checked(returned: object, where: str) -> tuple[Any, object]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise ModelError(f"{where} must return (module, example_inputs), not {type(returned).__name__}")
    module, example = returned
    if not isinstance(module, torch.nn.Module):
        raise ModelError(
            f"{where}: the first returned value must be a torch.nn.Module, not {type(module).__name__}"
        )
    return module, example


def model_try(model: LoadedModel, where: str) -> tuple[np.ndarray, ...]:
    """Run the model once on its example, and return the example as arrays.

    Raises:
        ModelError: the forward pass raised: nothing that follows could work.
    """
    try:
        with torch.inference_mode():
            model.module(*model.example)
    except Exception as error:
        raise ModelError(f"{where}: forward raised {type(error).__name__}: {error}") from error
    return tuple(tensor_array(tensor) for tensor in model.example)
