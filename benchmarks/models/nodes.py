"""The nodes of an ONNX file, by name, without its weights."""

from __future__ import annotations

from pathlib import Path

import onnx

from benchmarks.layers.graph import Node


def nodes_read(path: Path) -> list[Node]:
    """Every node of the outermost graph, in its order."""
    graph = onnx.load(str(path), load_external_data=False).graph
    return [Node(one.name, one.op_type, tuple(one.input), tuple(one.output)) for one in graph.node]
