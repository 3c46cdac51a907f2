"""The exchange of a running engine's weights, from an ONNX file of the same graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.errors import MeasureError


def engine_refit(trt: Any, logger: Any, engine: Any, onnx: Path, stream: Any) -> None:
    """Give `engine` the weights of `onnx` and return when they are in place.

    Execution contexts of the engine stay valid.

    Raises:
        MeasureError: the file's graph is another one, or lacks weights.
    """
    stream.synchronize()  # work in flight while weights change is undefined
    refitter = trt.Refitter(engine, logger)
    refit_parser = trt.OnnxParserRefitter(refitter, logger)
    if not refit_parser.refit_from_file(str(onnx)):
        raise MeasureError(f"{onnx.name} does not refit the engine: {_words(refit_parser)}")
    missing = refitter.get_missing_weights()
    if missing:
        raise MeasureError(
            f"{onnx.name} lacks {len(missing)} weights of the engine, {missing[0]!r} first; "
            "refit from the graph it was built from"
        )
    if not refitter.refit_cuda_engine_async(stream.cuda_stream):
        raise MeasureError(f"the engine did not take the weights of {onnx.name}")
    stream.synchronize()


def _words(refit_parser: Any) -> str:
    errors = (refit_parser.get_error(position) for position in range(refit_parser.num_errors))
    return "; ".join(error.desc() for error in errors) or "it gave no reason"
