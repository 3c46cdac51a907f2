"""From an ONNX file to an engine, strongly typed: the precision is in the graph alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.artifacts import Artifact
from benchmarks.errors import BuildError
from benchmarks.options import Pairs
from benchmarks.runners.tensorrt_library import library_import, logger_make


@dataclass(frozen=True)
class EngineBuild:
    """A built engine and how long the builder took, in seconds, parsing included."""

    engine: Artifact
    seconds: float
    version: str
    log: tuple[str, ...]


def engine_build(
    *,
    runner: str,
    onnx: Artifact,
    target: Path,
    example_shapes: tuple[tuple[int, ...], ...],
    batches: tuple[int, ...],
    options: Pairs = (),
) -> EngineBuild:
    """Build the engine of `runner` (`tensorrt` or `tensorrt_rtx`) and write it to `target`.

    The optimisation profile allows batches 1 to max(batches) and is tuned for the largest.
    `example_shapes` holds one shape per graph input; only dim 0 may differ from the example's.

    Raises:
        MissingLibrary: the library is not installed.
        BuildError: the parser or the builder refused the graph; the message holds its own words.
        IntegrityError: the ONNX file is not the sealed one.
    """
    trt = library_import(runner)
    lines: list[str] = []
    source = onnx.verified()
    logger = logger_make(trt, lines)
    started = time.perf_counter()
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(source)):
        raise BuildError(f"{runner} {trt.__version__} cannot read the ONNX graph: {_parser_words(parser)}")
    config = builder.create_builder_config()
    config.add_optimization_profile(_profile_make(builder, network, example_shapes, batches))
    plan = builder.build_serialized_network(network, config)
    seconds = time.perf_counter() - started
    if plan is None:
        raise BuildError(
            f"{runner} {trt.__version__} built no engine: {' '.join(lines[-5:]) or 'it gave no reason'}"
        )
    target.write_bytes(memoryview(plan))
    return EngineBuild(
        engine=Artifact.seal(target, "engine"), seconds=seconds, version=trt.__version__, log=tuple(lines)
    )


def _profile_make(
    builder: Any, network: Any, example_shapes: tuple[tuple[int, ...], ...], batches: tuple[int, ...]
) -> Any:
    profile = builder.create_optimization_profile()
    if network.num_inputs != len(example_shapes):
        raise BuildError(
            f"the graph has {network.num_inputs} inputs and the model's example {len(example_shapes)}"
        )
    largest = max(batches)
    for position, shape in enumerate(example_shapes):
        rest = tuple(shape[1:])
        profile.set_shape(network.get_input(position).name, (1, *rest), (largest, *rest), (largest, *rest))
    return profile


def _parser_words(parser: Any) -> str:
    errors = (parser.get_error(position) for position in range(parser.num_errors))
    return "; ".join(f"{error.node_operator()} {error.node_name()}: {error.desc()}" for error in errors)
