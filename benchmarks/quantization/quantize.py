"""From an exported graph to its quantized one: int8 and fp8 by Q/DQ nodes, int4 by blocks of weights."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from benchmarks.artifacts import Artifact
from benchmarks.errors import BenchmarkError, CannotRun, ExportError
from benchmarks.onnx_cache import cache_put, cache_take
from benchmarks.quantization.recipes import RECIPES, recipe_mark
from benchmarks.quantization.samples import CALIBRATION_SEED, inputs_seeded

CALIBRATION_BATCHES = 8
CALIBRATION_ROWS = 4


@dataclass(frozen=True)
class Quantized:
    """The sealed quantized file and how long it took to make, in seconds; None when it was kept."""

    onnx: Artifact
    seconds: float | None


def graph_quantize(
    source: Artifact,
    example: tuple[np.ndarray, ...],
    precision: str,
    target: Path,
    *,
    kept: Path | None = None,
) -> Quantized:
    """Write `source` in `precision` to `target`; the same source gives the same bytes.

    `kept` is a folder of quantized graphs, known by the digest of their source and by their recipe:
    one that is there is taken, its digest checked, and one that is not is put there.

    Raises:
        CannotRun: the graph has nothing that this precision quantizes, or its weights lie in another file.
        ExportError: onnxruntime or onnx refused the graph.
        IntegrityError: a file is not the sealed one.
    """
    if source.beside:
        raise CannotRun(
            f"its weights are {source.whole_size / 2**30:.2f} GiB, and {precision} graphs are made of "
            "exports in one file, of 1.5 GiB at most; measure it in fp16 or bf16"
        )
    place = None if kept is None else kept / f"{source.sha256[:40]}.{recipe_mark(precision)}.onnx"
    if place is not None and place.is_file():
        return Quantized(cache_take(place, target), None)
    started = time.perf_counter()
    source.verified()
    _graph_write(source.path, example, precision, target)
    sealed = Artifact.seal(target, "onnx")
    if place is not None:
        cache_put(sealed, place)
    return Quantized(sealed, time.perf_counter() - started)


def _graph_write(source: Path, example: tuple[np.ndarray, ...], precision: str, target: Path) -> None:
    recipe = RECIPES[precision]
    count = CALIBRATION_BATCHES if recipe.calibrated else 0
    inputs = inputs_seeded(example, batch=CALIBRATION_ROWS, count=count, seed=CALIBRATION_SEED)
    try:
        made = importlib.import_module(f"benchmarks.quantization.{recipe.module}").graph_make(source, inputs)
        onnx.checker.check_model(made)
        target.write_bytes(made.SerializeToString(deterministic=True))
    except BenchmarkError:
        raise
    except Exception as error:  # these libraries raise their own kinds
        raise ExportError(
            f"the graph does not become {precision}: {type(error).__name__}: {str(error).strip()[:1000]}"
        ) from error
