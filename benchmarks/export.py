"""From a torch module to an ONNX file with a dynamic batch, by torch's dynamo exporter."""

from __future__ import annotations

import contextlib
import inspect
import logging
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxscript.function_libs.torch_lib.ops  # with torch._dynamo: or export_time would hold these imports
import onnxscript.optimizer
import torch
import torch._dynamo
import torch.onnx
from torch.export import Dim

from benchmarks.artifacts import Artifact
from benchmarks.collector import collector_off
from benchmarks.errors import ExportError
from benchmarks.models.inputs import tensors_batched
from benchmarks.models.source import LoadedModel

TRACE_BATCH = 2  # torch.export takes a traced size of 1 for a constant
OPSETS = {  # where the exporter's own choice does not know the types
    "bf16": 22,  # the first whose convolution and pooling take bfloat16
    "fp8": 21,  # the first whose Q/DQ nodes take 8-bit floats with float16 scales everywhere
    "int4": 21,  # the first that knows 4-bit integers
}
LARGEST_FILE = 1536 * 2**20  # bytes of weights: more go into a second file, for protobuf ends at 2 GiB


@dataclass(frozen=True)
class OnnxExport:
    """The sealed ONNX file and how long tracing, translating and writing took, in seconds."""

    onnx: Artifact
    seconds: float


def model_export(model: LoadedModel, target: Path) -> OnnxExport:
    """Export `model` with a dynamic dim 0 on every input to `target`, large weights to a file beside it.

    The same module gives the same bytes wherever it is checked out: stack traces and other notes of
    the exporter, which hold paths, are left out.

    Raises:
        ExportError: tracing or translating failed.
    """
    beside = [target.with_name(f"{target.name}.data")] if _weights_size(model.module) > LARGEST_FILE else []
    started = time.perf_counter()
    try:
        with _quiet(), collector_off(), torch.no_grad():
            program = _program_trace(model)
            _notes_drop(program.model)
            program.save(str(target), external_data=bool(beside))
    except Exception as error:
        raise ExportError(_words(error)) from error
    return OnnxExport(onnx=Artifact.seal(target, "onnx", beside), seconds=time.perf_counter() - started)


def _weights_size(module: Any) -> int:
    """Bytes of the parameters and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers()))


def _program_trace(model: LoadedModel) -> Any:
    batch = Dim("batch", min=1)
    shapes = tuple({0: batch} for _ in model.example)
    dynamic = (shapes,) if _takes_star(model.module) else shapes
    arguments = tensors_batched(model.example, TRACE_BATCH)
    traced = torch.export.export(model.module, arguments, dynamic_shapes=dynamic, strict=False)
    # optimize folds constants: without it TensorRT refuses axes that are computed in the graph
    program = torch.onnx.export(
        traced,
        dynamo=True,
        optimize=model.precision != "bf16",
        opset_version=OPSETS.get(model.precision),
        dynamic_shapes=dynamic,  # again, so that the free dimension is called batch in the file
        verify=False,
        report=False,
        verbose=False,
    )
    if model.precision == "bf16":
        # constants folded, nothing else: the optimizer would merge batch norms into float32 kernels
        onnxscript.optimizer.fold_constants(program.model)
        onnxscript.optimizer.remove_unused_nodes(program.model)
    return program


def _takes_star(module: Any) -> bool:
    """Whether forward takes `*inputs` alone: torch.export wants its shapes one level deeper."""
    kinds = [parameter.kind for parameter in inspect.signature(module.forward).parameters.values()]
    return kinds[:1] == [inspect.Parameter.VAR_POSITIONAL]


def _notes_drop(graph_model: Any) -> None:
    """Remove the exporter's metadata from an onnx_ir model, in place."""
    for graph in (graph_model.graph, *graph_model.functions.values()):
        graph.metadata_props.clear()
        for node in graph:
            node.metadata_props.clear()
            node.doc_string = None
            for value in node.outputs:
                value.metadata_props.clear()
        for value in graph.inputs:
            value.metadata_props.clear()
    for value in graph_model.graph.initializers.values():
        value.metadata_props.clear()
    graph_model.metadata_props.clear()


def _words(error: Exception) -> str:
    text = str(error).strip()
    hint = ""
    if "Constraints violated" in text or "specialized" in text:
        hint = " (dim 0 of every input is the batch and must stay free: write shapes with x.shape[0] or -1)"
    return f"the model does not export to ONNX: {type(error).__name__}: {text[:2000]}{hint}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back notes on optional packages, on constants that do not fold, and deprecations."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
