"""How each integer and 8-bit precision is made of an exported graph: one row each.  Light.

A recipe's mark is part of the name a quantized graph is kept by: whoever changes what a recipe does
raises its version.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import metadata


@dataclass(frozen=True)
class Recipe:
    """`module` of this folder has the function `graph_make` that turns one ONNX model into another.

    `calibrated` says whether it needs inputs to learn the ranges of activations from.
    """

    module: str
    version: int
    calibrated: bool


RECIPES: dict[str, Recipe] = {
    "int8": Recipe("integer", 1, calibrated=True),
    "fp8": Recipe("floating", 1, calibrated=True),
    "int4": Recipe("blocks", 1, calibrated=False),
}


def recipe_mark(precision: str) -> str:
    """What tells two ways of making `precision` apart: the recipe and the libraries that carry it out."""
    libraries = {name: _version(name) for name in ("onnx", "onnxruntime", "onnxruntime-gpu")}
    text = json.dumps([precision, asdict(RECIPES[precision]), libraries], sort_keys=True)
    return f"{precision}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
