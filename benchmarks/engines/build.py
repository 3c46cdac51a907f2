"""From an ONNX file to an engine, strongly typed: the precision is in the graph alone."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.artifacts import Artifact
from benchmarks.engines.check import capability_here
from benchmarks.engines.profiles import Shapes, profiles_add
from benchmarks.engines.sidecar import Sidecar, TimingCache, sidecar_write
from benchmarks.engines.timing_cache import WHY_NONE, cache_attach, cache_save
from benchmarks.errors import BuildError, CannotRun
from benchmarks.options import Pairs
from benchmarks.runners.tensorrt_library import Log, library_import, log_kept

MEBIBYTE = 2**20
BUILD_OPTIONS = ("refit", "timing_cache", "workspace_mib")


@dataclass(frozen=True)
class EngineBuild:
    """A built engine and how long the builder took, in seconds, parsing included.

    `files` are what it left beside the engine: its log, its note (see `sidecar`), its timing cache.
    `timing_cache` is None where the library keeps none; `timing_cache_missing` says why.
    """

    engine: Artifact
    seconds: float
    version: str
    log: Artifact
    files: tuple[Artifact, ...]
    timing_cache: TimingCache | None = None
    timing_cache_missing: str = ""

    def remove(self) -> None:
        """Delete the engine and what lies beside it."""
        for artifact in (self.engine, *self.files):
            artifact.path.unlink(missing_ok=True)


def build_options(options: Pairs) -> Pairs:
    """Those of a case's options that make it another engine."""
    return tuple(pair for pair in options if pair[0] in BUILD_OPTIONS and pair[1] is not False)


def engine_label(options: Pairs) -> str:
    """What tells that engine's file from the others of a job, for example `.workspace_mib64`."""
    words = {name: "" if value is True else str(value) for name, value in build_options(options)}
    return "".join(f".{name}{re.sub(r'[^A-Za-z0-9._-]+', '-', words[name])}" for name in words)


def engine_build(
    *,
    runner: str,
    onnx: Artifact,
    target: Path,
    example_shapes: Shapes,
    batches: tuple[int, ...],
    options: Pairs = (),
    precision: str = "fp32",
    root: Path = Path(),
) -> EngineBuild:
    """Build the engine of `runner` (`tensorrt` or `tensorrt_rtx`) and write it to `target`.

    It holds an optimisation profile for each of `batches` (see `profiles`).  `example_shapes` holds one
    shape per graph input; only dim 0 may differ from the example's.
    TensorFloat-32 is allowed for the precision `tf32` alone.  Of `options` count `workspace_mib`,
    `timing_cache` (a path that starts from `root`) and `refit` (weights that can be exchanged).

    Raises:
        MissingLibrary: the library is not installed.
        BuildError: the parser or the builder refused the graph; the message holds its own words.
        CannotRun: what was asked for needs a GPU to be built on, and there is none.
        IntegrityError: the ONNX file is not the sealed one.
    """
    trt = library_import(runner)
    source = onnx.verified()
    plan = _plan_make(trt, runner, source, example_shapes, batches, dict(options), precision, root)
    target.write_bytes(memoryview(plan.content))
    engine = Artifact.seal(target, "engine")
    sidecar = Sidecar(
        engine_sha256=engine.sha256,
        library=runner,
        version=trt.__version__,
        compute_capability=None if runner == "tensorrt_rtx" else capability_here(),
        precision=precision,
        flags=plan.flags,
        batches=tuple(sorted(batches)),
        workspace_mib=dict(options).get("workspace_mib"),  # type: ignore[arg-type]  # its row says int
        onnx_sha256=onnx.identity,
        timing_cache=cache_save(
            runner, plan.config, target.with_name(f"{target.name}.timing"), plan.began_with
        ),
        timing_cache_missing=WHY_NONE.get(runner, ""),
    )
    return _build_seal(engine, plan.seconds, sidecar, plan.log)


class _Plan(NamedTuple):
    """A serialised engine, the names of its flags, and what is left of its build."""

    content: Any
    flags: tuple[str, ...]
    seconds: float
    config: Any
    began_with: str | None
    log: Log


def _plan_make(
    trt: Any,
    runner: str,
    source: Path,
    example_shapes: Shapes,
    batches: tuple[int, ...],
    asked: dict[str, Any],
    precision: str,
    root: Path,
) -> _Plan:
    """Parse, configure and build, timed together."""
    given = root / str(asked["timing_cache"]) if "timing_cache" in asked else None
    with log_kept(trt) as (logger, log):
        started = time.perf_counter()
        builder = trt.Builder(logger)
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = trt.OnnxParser(network, logger)  # it holds the weights until the engine is built
        if not parser.parse_from_file(str(source)):
            raise BuildError(
                f"{runner} {trt.__version__} cannot read the ONNX graph: {_parser_words(parser)}"
            )
        config = builder.create_builder_config()
        flags = _configure(trt, runner, config, asked, precision)
        profiles_add(builder, network, config, example_shapes, batches)
        began_with = cache_attach(runner, config, given)
        content = builder.build_serialized_network(network, config)
        seconds = time.perf_counter() - started
    if content is None:
        raise _refused(f"{runner} {trt.__version__}", log, refit="REFIT" in flags)
    return _Plan(content, flags, seconds, config, began_with, log)


def _configure(trt: Any, runner: str, config: Any, asked: dict[str, Any], precision: str) -> tuple[str, ...]:
    """Set the flags and limits; returns the flags' names."""
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # the inspector tells layers by name
    flags = [trt.BuilderFlag.REFIT] if asked.get("refit") else []
    flags += _rtx_flags(trt) if runner == "tensorrt_rtx" else []
    for flag in flags:
        config.set_flag(flag)
    if precision == "tf32":
        flags.append(trt.BuilderFlag.TF32)  # it is on unless told
    else:
        config.clear_flag(trt.BuilderFlag.TF32)  # fp32 here means IEEE single precision
    if "workspace_mib" in asked:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, asked["workspace_mib"] * MEBIBYTE)
    return tuple(flag.name for flag in flags)


def _rtx_flags(rtx: Any) -> list[Any]:
    """What TensorRT-RTX alone knows: an engine without it cannot be recorded as a CUDA graph."""
    return [rtx.BuilderFlag.REQUIRE_USER_ALLOCATION]


def _build_seal(engine: Artifact, seconds: float, sidecar: Sidecar, log: Log) -> EngineBuild:
    beside = engine.path
    written = Artifact.seal(log.write(beside.with_name(f"{beside.name}.log")), "log")
    files = [written, Artifact.seal(sidecar_write(beside, sidecar), "other")]
    if sidecar.timing_cache is not None:
        files.append(Artifact.seal(beside.with_name(sidecar.timing_cache.name), "other"))
    return EngineBuild(
        engine=engine,
        seconds=seconds,
        version=sidecar.version,
        log=written,
        files=tuple(files),
        timing_cache=sidecar.timing_cache,
        timing_cache_missing=sidecar.timing_cache_missing,
    )


def _refused(library: str, log: Log, *, refit: bool) -> BuildError | CannotRun:
    words = f"{library} built no engine: {log.words() or 'it gave no reason'}"
    if refit and capability_here() is None:
        return CannotRun(
            f"{words}. The option refit asked for an engine whose weights can be exchanged, and where there "
            "is no GPU such a build fails; build it where there is one, or drop the option"
        )
    return BuildError(words)


def _parser_words(parser: Any) -> str:
    errors = (parser.get_error(position) for position in range(parser.num_errors))
    return "; ".join(f"{error.node_operator()} {error.node_name()}: {error.desc()}" for error in errors)
