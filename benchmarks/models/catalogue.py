"""The catalogue: models built from configuration with seeded random weights; nothing is downloaded.

A new model is one function in a file of this folder and one row here.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from benchmarks.errors import MissingLibrary, ModelError


@dataclass(frozen=True)
class CatalogueRow:
    """Where a model is built and what it is, in a few words."""

    module: str
    function: str
    title: str


_ROWS: dict[str, CatalogueRow] = {
    "tiny-cnn": CatalogueRow("tiny", "cnn_build", "four convolutions, 3x32x32"),
    "tiny-bert": CatalogueRow("text", "tiny_bert_build", "two-layer BERT encoder, 32 tokens"),
    "tiny-decoder": CatalogueRow("text", "tiny_decoder_build", "two-layer Qwen2 decoder, 32 tokens"),
    "tiny-clip": CatalogueRow("multimodal", "tiny_clip_build", "two-layer CLIP, 32x32 image and 16 tokens"),
    "resnet50": CatalogueRow("resnet", "resnet50_build", "ResNet-50, 3x224x224"),
    "resnet152": CatalogueRow("resnet", "resnet152_build", "ResNet-152, 3x224x224"),
    "vit-b16": CatalogueRow("vit", "vit_b16_build", "ViT-B/16, 3x224x224"),
    "bert-base": CatalogueRow("text", "bert_base_build", "BERT-base encoder, 128 tokens"),
    "bart-large": CatalogueRow("text", "bart_large_build", "BART-large, 128 tokens into each side"),
    "qwen2-1.5b": CatalogueRow("qwen", "qwen2_build", "Qwen2 1.5B decoder, 128 tokens without its cache"),
    "clip-vit-b32": CatalogueRow(
        "multimodal", "clip_vit_b32_build", "CLIP ViT-B/32, 3x224x224 image and 77 tokens"
    ),
}

CATALOGUE: dict[str, str] = {name: row.title for name, row in _ROWS.items()}


def catalogue_module(name: str) -> str | None:
    """The module that builds the model called `name`, which imports what it needs; None when unknown."""
    row = _ROWS.get(name)
    return None if row is None else f"benchmarks.models.{row.module}"


def catalogue_build(name: str) -> object:
    """`(module, example_inputs)` of the model called `name`.

    Raises:
        ModelError: there is no such model; the message lists the known ones.
        MissingLibrary: the model needs a library that is not installed.
    """
    row = _ROWS.get(name)
    if row is None:
        raise ModelError(f"there is no catalogue model {name!r}; known: {', '.join(_ROWS)}")
    try:
        file = importlib.import_module(f"benchmarks.models.{row.module}")
    except ModuleNotFoundError as error:
        raise MissingLibrary(f"{name} needs {error.name}; pip install 'perfsite[cpu]' brings it") from error
    return getattr(file, row.function)()
