"""TensorRT's inspector (JSON, detailed or names alone) and the times of its profiler.

TensorRT 10 names an engine's inputs and outputs in `Bindings` and writes a tensor's layout and type in
one field, `Format/Datatype`; TensorRT 11 has `I/O Tensors`, `Format` and `DataType`.  `Metadata` holds
the ONNX nodes of a layer, `[ONNX Layer: NAME]` each, with a control character between them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.layers.layer import Layer, Layers, precision_words, shape_words, shapes_words

FORM = "TensorRT inspector"
TIMES_FORM = "TensorRT profiler"

_ONNX_NODE = re.compile(r"\[ONNX Layer: ([^\x1e\x1f]*?)\](?=[\x1e\x1f\[]|\s*$)")
_FOREIGN = re.compile(r"\{ForeignNode\[(.*?)\.\.\.(.*?)\]\}")
_WRAPPED = re.compile(r"^(?:PWN|Reformat|COPY)\((.*)\)$")
_REFORMATS = ("reformatting copynode", "copynode")
_TYPE = re.compile(r"\b(FP32|FP16|BF16|FP8|FP4|INT8|INT4|INT32|INT64|BOOL)\b", re.IGNORECASE)


def tensorrt_is(content: Any) -> bool:
    """Whether the JSON is an inspector's, in either spelling."""
    return isinstance(content, dict) and isinstance(content.get("Layers"), list)


def times_is(content: Any) -> bool:
    """Whether the JSON is a list of layers' times: ours, or that of `trtexec --exportProfile`."""
    if not isinstance(content, list) or not content:
        return False
    rows = [row for row in content if isinstance(row, dict)]
    return len(rows) == len(content) and bool(dict(_times(rows)))


def tensorrt_read(content: dict[str, Any], times: list[dict[str, Any]] | None = None) -> Layers:
    """The engine's layers, with the profiler's `times` where there are any."""
    seconds = dict(_times(times or ()))
    layers = [_layer(row) for row in content["Layers"]]
    shares = Counter(layer.name for layer in layers)  # the profiler sums layers of one name
    timed = [
        Layer(**{**vars(layer), "seconds": seconds[layer.name] / shares[layer.name]})
        if layer.name in seconds
        else layer
        for layer in layers
    ]
    strangers = (name for name in seconds if name not in shares)
    return Layers((*timed, *(_named(name, seconds[name]) for name in strangers)), form=FORM)


def times_read(content: list[dict[str, Any]]) -> Layers:
    """Times without an inspector: the origins are what the names tell."""
    return Layers(tuple(_named(name, seconds) for name, seconds in _times(content)), form=TIMES_FORM)


def _times(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    for row in rows:
        if "layer" in row and "seconds" in row:
            yield str(row["layer"]), float(row["seconds"])
        elif "name" in row and "averageMs" in row:
            yield str(row["name"]), float(row.get("medianMs", row["averageMs"])) * 1e-3


def _layer(row: Any) -> Layer:
    if not isinstance(row, dict):
        return _named(str(row))
    name = str(row.get("Name", ""))
    inputs, outputs = _tensors(row, "Inputs"), _tensors(row, "Outputs")
    metadata = row.get("Metadata")
    return Layer(
        name=name,
        kind=str(row.get("LayerType", "")),
        origins=frozenset(_ONNX_NODE.findall(metadata)) if metadata is not None else _origins_of(name),
        precision=precision_words(map(_type_of, inputs), map(_type_of, outputs)),
        tactic=str(row.get("TacticName") or row.get("TacticValue") or ""),
        shapes=shapes_words(map(_shape_of, inputs), map(_shape_of, outputs)),
    )


def _named(name: str, seconds: float | None = None) -> Layer:
    return Layer(name=name, origins=_origins_of(name), seconds=seconds)


def _origins_of(name: str) -> frozenset[str]:
    """The nodes that a fused layer's name lists, `a + b`; a copy between two layers came from no node."""
    if name.lower().startswith(_REFORMATS):
        return frozenset()
    found: set[str] = set()
    for part in name.split(" + "):
        foreign, wrapped = _FOREIGN.search(part), _WRAPPED.match(part.strip())
        if foreign:
            found |= set(foreign.groups())
        elif wrapped:
            found |= {one.strip() for one in wrapped.group(1).split(",")}
        else:
            found.add(part.strip())
    return frozenset(found - {""})


def _tensors(row: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return [one for one in row.get(key) or () if isinstance(one, dict)]


def _type_of(tensor: dict[str, Any]) -> str:
    """The tensor's type; within TensorRT 10's prose, `Row major linear FP16 format`, the word for it."""
    told = tensor.get("DataType") or tensor.get("Datatype") or tensor.get("Format/Datatype") or ""
    found = _TYPE.search(str(told))
    return found.group(1).lower() if found else str(told)


def _shape_of(tensor: dict[str, Any]) -> str:
    return shape_words(tensor.get("Dimensions") or ())
