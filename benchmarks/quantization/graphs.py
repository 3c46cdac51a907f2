"""What the recipes share: names and constants of an onnx model, the refusal, the quiet."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.errors import CannotRun


def initializers_of(model: Any) -> dict[str, Any]:
    """The graph's constants by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


def input_names(model: Any) -> list[str]:
    """Names of the graph's true inputs, in its order."""
    constants = initializers_of(model)
    return [value.name for value in model.graph.input if value.name not in constants]


def initializers_trim(model: Any) -> None:
    """Remove the constants that no node reads any more, in place."""
    read = {name for node in model.graph.node for name in node.input}
    read |= {value.name for value in model.graph.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def nothing_quantized(precision: str, operators: list[str]) -> CannotRun:
    """The refusal of a graph in which a recipe finds nothing to do."""
    return CannotRun(
        f"this model has nothing that {precision} quantizes: no {' or '.join(operators)} with constant "
        "weights that fit; measure it in another precision"
    )


@contextmanager
def logs_held_back() -> Iterator[None]:
    """Hold back what onnxruntime's quantizers log: a line per node, and the advice to preprocess.

    The exporter has folded and fused already.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
