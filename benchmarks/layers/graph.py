"""Which nodes of an ONNX graph a layer of onnxruntime's optimized graph came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.layers.layer import Layer, Layers
from benchmarks.layers.onnxruntime_profile import origin_words

MOST_FUSED = 8  # nodes that one walk along the graph takes


@dataclass(frozen=True)
class Node:
    """One node of an ONNX graph; inputs and outputs by the names of their tensors."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class _Graph:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self.named = {node.name: node for node in nodes if node.name}
        self.producers = {output: node for node in nodes for output in node.outputs}
        self._consumers: dict[str, list[Node]] = defaultdict(list)
        for node in nodes:
            for tensor in node.inputs:
                self._consumers[tensor].append(node)

    def anchor(self, layer: Layer) -> Node | None:
        """The node that the layer is called after: by its own name, or by that of its output."""
        plain = origin_words(layer.name)
        return self.named.get(layer.name) or self.named.get(plain) or self.producers.get(plain)

    def onward(self, node: Node) -> list[Node]:
        """Who takes what the node makes."""
        return [taker for output in node.outputs for taker in self._consumers[output]]

    def backward(self, node: Node) -> list[Node]:
        """Who makes what the node takes; weights are nobody's."""
        return [self.producers[tensor] for tensor in node.inputs if tensor in self.producers]


def origins_refine(layers: Layers, nodes: Iterable[Node]) -> Layers:
    """The same layers, with all the nodes they were fused from as far as the graph tells.

    onnxruntime calls a fused layer after one of its nodes: a convolution with its activation after the
    first, one in its own layout after the last.  The others are found by walking from there over nodes
    that no layer is called after.
    """
    graph = _Graph(list(nodes))
    anchors = [graph.anchor(layer) for layer in layers.layers]
    taken = {anchor.name for anchor in anchors if anchor is not None}
    found = tuple(
        layer if anchor is None else replace(layer, origins=frozenset(_origins(graph, layer, anchor, taken)))
        for layer, anchor in zip(layers.layers, anchors, strict=True)
    )
    return replace(layers, layers=found)


def _origins(graph: _Graph, layer: Layer, anchor: Node, taken: set[str]) -> Iterator[str]:
    yield anchor.name
    if layer.kind.startswith("Fused"):
        yield from _forward(graph, anchor, taken)
    elif layer.kind != anchor.op:
        yield from _until(graph, anchor, layer.kind, taken)


def _forward(graph: _Graph, node: Node, taken: set[str]) -> Iterator[str]:
    """The chain behind a node, while it has one taker and no layer is called after that."""
    for _ in range(MOST_FUSED):
        takers = graph.onward(node)
        if len(takers) != 1 or takers[0].name in taken:
            return
        node = takers[0]
        yield node.name


def _until(graph: _Graph, node: Node, op: str, taken: set[str]) -> list[str]:
    """The nodes back to one of the layer's own operator; none where there is no such node."""
    found: list[str] = []
    for _ in range(MOST_FUSED):
        makers = [maker for maker in graph.backward(node) if maker.name not in taken]
        same = next((maker for maker in makers if maker.op == op), None)
        if same is not None:
            return [*found, same.name]
        if not makers:
            return []
        node = makers[0]
        found.append(node.name)
    return []
