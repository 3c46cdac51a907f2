"""How a torch module is kept for a quick load, and how the weights of a loaded one are exchanged."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.artifacts import Artifact
from benchmarks.errors import BenchmarkError, CannotRun
from benchmarks.models.inputs import array_tensor, tensors_batched
from benchmarks.models.source import model_load
from benchmarks.precision import matmul_precision_set
from benchmarks.runners.base import Assets, artifact_required

KEPT_NAME = "weights.pt"


def keep(runner: str, assets: Assets, batch: int, folder: Path) -> Artifact:
    """Write every parameter and buffer of the module to `folder`, as `torch.save` does.

    Raises:
        CannotRun: the source is no module.
    """
    if assets.source.kind not in ("catalogue", "entry"):
        raise CannotRun(f"{runner} loads modules, and {assets.source.ref} is an {assets.source.kind} file")
    module = model_load(assets.source, assets.checkout, assets.precision, assets.size).module
    path = folder / KEPT_NAME
    torch.save(_tensors(module), path)
    return Artifact.seal(path, "other")


def kept_load(runner: str, assets: Assets, kept: Artifact | None, batch: int) -> float:
    """Seconds of building the module without its weights and mapping those from the file.

    Mapped pages are read when they are first used: on a GPU at once, by the copy there.

    Raises:
        CannotRun: the module needs its weights, or their values, while it is built.
        IntegrityError: the file is not the sealed one.
    """
    torch.randn(1, device="meta") + 1  # torch imports what shapes alone need when they first are
    started = time.perf_counter()
    module = kept_module(assets, artifact_required(kept, runner, "kept weights").verified())
    call = _call_of(module.to(assets.device), assets, batch)
    seconds = time.perf_counter() - started
    try:
        call()
    except Exception as error:  # a tensor that is neither parameter nor buffer has no values
        raise CannotRun(
            f"the module does not run on weights that come later ({type(error).__name__}: {error}); "
            "register its constant tensors as buffers"
        ) from error
    return seconds


def kept_module(assets: Assets, path: Path) -> Any:
    """The module on the CPU, its parameters and buffers mapped from the file.

    Raises:
        CannotRun: the module needs its weights while it is built.
    """
    try:
        with torch.device("meta"):
            module = model_load(assets.source, assets.checkout, assets.precision, assets.size).module
    except BenchmarkError as error:
        raise CannotRun(f"the module cannot be built before its weights are there: {error}") from error
    for name, tensor in torch.load(path, mmap=True, weights_only=True).items():
        _assign(module, name, tensor)
    return module


def update(runner: str, assets: Assets, batch: int) -> float:
    """Seconds from new weights in host memory to the first answer of a loaded module that has them.

    The weights are copied into the tensors that the module has, so a CUDA graph of it stays good.
    """
    module = model_load(assets.source, assets.checkout, assets.precision, assets.size).module
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    call = _call_of(module.to(assets.device), assets, batch)
    call()
    started = time.perf_counter()
    module.load_state_dict(weights)
    call()
    return time.perf_counter() - started


def _tensors(module: Any) -> dict[str, Any]:
    """Parameters and buffers by name, those that `state_dict` leaves out too."""
    parameters = {name: one.data for name, one in module.named_parameters(remove_duplicate=False)}
    return {**parameters, **dict(module.named_buffers(remove_duplicate=False))}


def _assign(module: Any, name: str, tensor: Any) -> None:
    place, _, leaf = name.rpartition(".")
    owner = module.get_submodule(place)
    is_parameter = leaf in dict(owner.named_parameters(recurse=False))
    setattr(owner, leaf, torch.nn.Parameter(tensor, requires_grad=False) if is_parameter else tensor)


def _call_of(module: Any, assets: Assets, batch: int) -> Callable[[], object]:
    """One awaited forward pass of `batch` rows."""
    matmul_precision_set(assets.precision)
    torch.set_num_threads(assets.threads)
    rows = tensors_batched(tuple(array_tensor(array) for array in assets.example), batch)
    inputs = tuple(row.to(assets.device) for row in rows)

    def call() -> object:
        with torch.inference_mode():
            output = module(*inputs)
        if assets.device == "cuda":
            torch.cuda.synchronize()
        return output

    return call
