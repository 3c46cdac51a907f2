"""How long an input a model takes, as its configuration says."""

from __future__ import annotations

from typing import Any

from benchmarks.errors import ModelError


def positions_limit(module: Any) -> int | None:
    """The fewest `max_position_embeddings` among the configurations in `module`; None where none says.

    It is transformers' name for the longest sequence.  A model of rotary positions would run beyond
    it without an error, and one with a table of positions would read outside it: an error on the
    processor, and on a GPU one that ends the whole process.
    """
    configurations = (getattr(part, "config", None) for part in module.modules())
    limits = [
        limit
        for one in configurations
        if isinstance(limit := getattr(one, "max_position_embeddings", None), int)
    ]
    return min(limits, default=None)


def size_checked(module: Any, example: tuple[Any, ...], size: int, where: str) -> None:
    """Refuse more tokens than the model has positions for; images have no such limit.

    Raises:
        ModelError: `size` tokens are too many.
    """
    limit = positions_limit(module)
    if limit is None or size <= limit or any(tensor.dim() == 4 for tensor in example):
        return
    raise ModelError(f"{where}: {size} tokens are more than the {limit} positions its configuration has")
