"""Weights that an ONNX file keeps in other files: which, and that they lie in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.errors import ModelError
from benchmarks.models.graph import weights_locations


def external_files(model: Any, path: Path) -> tuple[Path, ...]:
    """The files that `model`, loaded from `path` without them, keeps tensors in, sorted.

    Raises:
        ModelError: one is missing, or does not lie in the model's folder.
    """
    return tuple(_confined(path, name) for name in sorted(set(weights_locations(model))))


def _confined(path: Path, name: str) -> Path:
    home, found = path.parent.resolve(), (path.parent / name).resolve()
    if Path(name).name != name or found.parent != home:
        raise ModelError(
            f"{path.name} keeps weights in {name!r}, which does not lie in its folder; save it with its "
            "weights beside it (onnx.save_model with all_tensors_to_one_file does)"
        )
    if not found.is_file():
        raise ModelError(f"{path.name} keeps weights in {name!r}, and there is no such file beside it")
    return path.parent / name
