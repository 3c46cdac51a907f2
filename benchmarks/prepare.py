"""From a source to what the runners load: module, ONNX file and engines, each made once per job."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.device import DeviceKind, threads_choose
from benchmarks.engines import EngineBuild, engine_build
from benchmarks.errors import BenchmarkError, ModelError
from benchmarks.onnx_cache import cache_put, cache_take
from benchmarks.preload import libraries_preload
from benchmarks.progress import Journal
from benchmarks.runners.base import Assets
from benchmarks.runners.table import ROWS

if TYPE_CHECKING:
    from benchmarks.models.source import LoadedModel

EXPORT_WEIGHT = 3.0
ENGINE_WEIGHT = 1.0


@dataclass
class Prepared:
    """What the cases of one job share.

    `assets` has no engine: each engine runner has its own in `builds`, or in `refusals` the error
    that stands in for it.
    """

    assets: Assets
    parameter_count: int | None = None
    export_s: float | None = None
    builds: dict[str, EngineBuild] = field(default_factory=dict)
    refusals: dict[str, BenchmarkError] = field(default_factory=dict)

    def assets_of(self, runner: str) -> Assets:
        """The assets as `runner` loads them.

        Raises:
            BenchmarkError: its engine could not be built; the error of the build.
        """
        if runner in self.refusals:
            raise self.refusals[runner]
        build = self.builds.get(runner)
        return self.assets if build is None else replace(self.assets, engine=build.engine)

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Every file made or taken."""
        given = (self.assets.onnx, self.assets.engine)
        return (*(file for file in given if file), *(build.engine for build in self.builds.values()))


def sources_prepare(
    *,
    source: ModelSource,
    precision: str,
    cases: Sequence[Case],
    checkout: Path,
    workdir: Path,
    device: DeviceKind,
    onnx_cache: Path | None,
    journal: Journal,
) -> Prepared:
    """Load the model, export it if a case needs the ONNX file, and build the engines cases ask for.

    Raises:
        ModelError: the model cannot be loaded or its forward raises.
        ExportError: it does not become an ONNX file.
    """
    assets = Assets(source, checkout, precision, device, threads_choose())
    loads = {ROWS[case.runner].loads for case in cases}
    wants_onnx = source.kind in ("catalogue", "entry") and loads != {"module"}
    with journal.stage("import", 1.0, "libraries"):
        libraries_preload(
            sorted({case.runner for case in cases}), export=wants_onnx and not _is_cached(onnx_cache)
        )
    if source.kind == "engine":
        engine = Artifact.seal(_file_in(checkout, source.ref), "engine")
        return Prepared(replace(assets, engine=engine))
    prepared = (
        _onnx_take(assets, source, checkout)
        if source.kind == "onnx"
        else _module_prepare(assets, workdir, onnx_cache, journal, wants_onnx=wants_onnx)
    )
    _engines_build(prepared, cases, workdir, journal)
    return prepared


def _is_cached(onnx_cache: Path | None) -> bool:
    return onnx_cache is not None and onnx_cache.is_file()


def _file_in(checkout: Path, ref: str) -> Path:
    path = checkout / ref
    if not path.is_file():
        raise ModelError(f"there is no file {ref} in the checkout; check the path")
    return path


def _onnx_take(assets: Assets, source: ModelSource, checkout: Path) -> Prepared:
    graph = importlib.import_module("benchmarks.models.graph")
    path = _file_in(checkout, source.ref)
    return Prepared(replace(assets, onnx=Artifact.seal(path, "onnx"), example=graph.graph_example(path)))


def _module_prepare(
    assets: Assets, workdir: Path, onnx_cache: Path | None, journal: Journal, *, wants_onnx: bool
) -> Prepared:
    # heavy, and not needed for a job that was given an ONNX file or an engine
    sources = importlib.import_module("benchmarks.models.source")
    with journal.stage("load", 0.1, assets.source.ref):
        model: LoadedModel = sources.model_load(assets.source, assets.checkout, assets.precision)
        example = sources.model_try(model, assets.source.ref)
    prepared = Prepared(replace(assets, example=example), parameter_count=model.parameter_count)
    if wants_onnx:
        _onnx_make(prepared, model, workdir, onnx_cache, journal)
    return prepared


def _onnx_make(
    prepared: Prepared, model: LoadedModel, workdir: Path, onnx_cache: Path | None, journal: Journal
) -> None:
    target = workdir / f"model-{prepared.assets.precision}.onnx"
    if onnx_cache is not None and _is_cached(onnx_cache):
        prepared.assets = replace(prepared.assets, onnx=cache_take(onnx_cache, target))
        return
    exporting = importlib.import_module("benchmarks.export")
    with journal.stage("export", EXPORT_WEIGHT, "torch to ONNX"):
        made = exporting.model_export(model, target)
    prepared.assets = replace(prepared.assets, onnx=made.onnx)
    prepared.export_s = made.seconds
    if onnx_cache is not None:
        cache_put(made.onnx, onnx_cache)


def _engines_build(prepared: Prepared, cases: Sequence[Case], workdir: Path, journal: Journal) -> None:
    onnx = prepared.assets.onnx
    runners = sorted({case.runner for case in cases if ROWS[case.runner].loads == "engine"})
    for runner in runners if onnx is not None else ():
        batches = tuple(sorted({case.batch for case in cases if case.runner == runner}))
        target = workdir / f"model-{prepared.assets.precision}.{runner}.engine"
        with journal.stage(f"engine-{runner}", ENGINE_WEIGHT, runner):
            try:
                prepared.builds[runner] = engine_build(
                    runner=runner,
                    onnx=onnx,
                    target=target,
                    example_shapes=tuple(array.shape for array in prepared.assets.example),
                    batches=batches,
                )
            except BenchmarkError as error:
                prepared.refusals[runner] = error  # its own cases are refused; the others go on
