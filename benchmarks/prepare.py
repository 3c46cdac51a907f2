"""From a source to what the runners load: module, ONNX file and engines, each made once per job."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.device import DeviceKind, threads_choose
from benchmarks.engines import EngineBuild, engine_build
from benchmarks.errors import BenchmarkError, ModelError
from benchmarks.isolation import native_thread_count
from benchmarks.onnx_cache import cache_put, cache_take
from benchmarks.preload import libraries_preload
from benchmarks.progress import Journal
from benchmarks.runners.base import Assets, artifact_required
from benchmarks.runners.table import ROWS

if TYPE_CHECKING:
    from benchmarks.models.source import LoadedModel

EXPORT_WEIGHT = 3.0
ENGINE_WEIGHT = 1.0


@dataclass
class Prepared:
    """What the cases of one job share.

    `assets` has no engine but a given one; `batches` are those an engine must take, by runner.
    `threads_then` counts this process's native threads once everything was imported.
    """

    assets: Assets
    workdir: Path
    batches: dict[str, tuple[int, ...]]
    journal: Journal
    threads_then: int
    parameter_count: int | None = None
    export_s: float | None = None
    builds: dict[str, EngineBuild] = field(default_factory=dict)
    refusals: dict[Any, BenchmarkError] = field(default_factory=dict)
    variants: dict[Any, Prepared] = field(default_factory=dict)

    def assets_of(self, case: Case) -> Assets:
        """The assets as `case.runner` loads them; its engine is built when it is first asked for.

        Not before: a builder leaves threads behind, and the memory suite forks.

        Raises:
            BenchmarkError: the engine cannot be built; the same error each time.
        """
        runner, assets = case.runner, replace(self.assets, options=case.runner_options)
        if ROWS[runner].loads != "engine" or assets.engine is not None:
            return assets
        if runner in self.refusals:
            raise self.refusals[runner]
        if runner not in self.builds:
            try:
                self.builds[runner] = self._engine_build(case)
            except BenchmarkError as error:
                self.refusals[runner] = error
                raise
        return replace(assets, engine=self.builds[runner].engine)

    def rebuild(self, case: Case) -> EngineBuild:
        """The engine of `case`, built once more from the same ONNX file, beside the first.

        Raises:
            BenchmarkError: it cannot be built.
        """
        return self._engine_build(case, suffix=".rebuilt")

    def variant(
        self,
        case: Case,
        *,
        source: ModelSource | None = None,
        precision: str | None = None,
        size: int | None = None,
    ) -> Assets:
        """The assets that `case.runner` loads, of another model, precision or input size.

        Raises:
            BenchmarkError: they cannot be made; the same error each time.
        """
        base, wants_onnx = self.assets, ROWS[case.runner].loads != "module"
        key = (source or base.source, precision or base.precision, size)
        if key == (base.source, base.precision, base.size):
            return self.assets_of(case)
        asked = (*key, wants_onnx)
        if asked in self.refusals:
            raise self.refusals[asked]
        if asked not in self.variants:
            try:
                self.variants[asked] = self._variant_make(
                    *key, wants_onnx=wants_onnx, place=len(self.variants)
                )
            except BenchmarkError as error:
                self.refusals[asked] = error
                raise
        return self.variants[asked].assets_of(case)

    def _variant_make(
        self, source: ModelSource, precision: str, size: int | None, *, wants_onnx: bool, place: int
    ) -> Prepared:
        made = Prepared(
            assets=replace(
                self.assets,
                source=source,
                precision=precision,
                size=size,
                example=(),
                onnx=None,
                engine=None,
            ),
            workdir=self.workdir / f"variant{place + 1}",
            batches=self.batches,
            journal=self.journal,
            threads_then=self.threads_then,
        )
        made.workdir.mkdir(exist_ok=True)
        _source_take(made, None, wants_onnx=wants_onnx)
        return made

    def _engine_build(self, case: Case, suffix: str = "") -> EngineBuild:
        runner = case.runner
        with self.journal.stage(f"engine-{runner}", ENGINE_WEIGHT, f"ONNX to {runner}"):
            return engine_build(
                runner=runner,
                onnx=artifact_required(self.assets.onnx, runner, "an ONNX file"),
                target=self.workdir / f"model-{self.assets.precision}{suffix}.{runner}.engine",
                example_shapes=tuple(array.shape for array in self.assets.example),
                batches=self.batches.get(runner, (case.batch,)),
                options=case.runner_options,
            )

    @property
    def forkable(self) -> bool:
        """Whether this process has started neither CUDA nor a native thread since the imports."""
        return self.assets.device == "cpu" and native_thread_count() <= self.threads_then

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
    """Load the model, and export it if a case needs the ONNX file.

    Raises:
        ModelError: the model cannot be loaded or its forward raises.
        ExportError: it does not become an ONNX file.
        IntegrityError: the kept ONNX file is not the one that was exported.
    """
    runners = sorted({case.runner for case in cases})
    wants_onnx = any(ROWS[runner].loads != "module" for runner in runners)
    is_module = source.kind in ("catalogue", "entry")
    with journal.stage("import", 1.0, "libraries"):
        libraries_preload(runners, export=is_module and wants_onnx and not _is_cached(onnx_cache))
    prepared = Prepared(
        assets=Assets(source, checkout, precision, device, threads_choose()),
        workdir=workdir,
        batches={
            name: tuple(sorted({case.batch for case in cases if case.runner == name})) for name in runners
        },
        journal=journal,
        threads_then=native_thread_count(),
    )
    _source_take(prepared, onnx_cache, wants_onnx=wants_onnx)
    return prepared


def _source_take(prepared: Prepared, onnx_cache: Path | None, *, wants_onnx: bool) -> None:
    if prepared.assets.source.kind in ("catalogue", "entry"):
        _module_prepare(prepared, onnx_cache, wants_onnx=wants_onnx)
    else:
        _file_take(prepared)


def _is_cached(onnx_cache: Path | None) -> bool:
    return onnx_cache is not None and onnx_cache.is_file()


def _file_take(prepared: Prepared) -> None:
    """The ONNX file or engine that the source names, sealed as it is."""
    source = prepared.assets.source
    path = prepared.assets.checkout / source.ref
    if not path.is_file():
        raise ModelError(f"there is no file {source.ref} in {prepared.assets.checkout}; check the path")
    if source.kind == "engine":
        prepared.assets = replace(prepared.assets, engine=Artifact.seal(path, "engine"))
        return
    graph = importlib.import_module("benchmarks.models.graph")  # needs onnx, which an engine does not
    example = graph.graph_example(path)
    prepared.assets = replace(prepared.assets, onnx=Artifact.seal(path, "onnx"), example=example)


def _module_prepare(prepared: Prepared, onnx_cache: Path | None, *, wants_onnx: bool) -> None:
    # torch: heavy, and not needed for a job that was given an ONNX file or an engine
    sources = importlib.import_module("benchmarks.models.source")
    assets = prepared.assets
    with prepared.journal.stage("load", 0.1, assets.source.ref):
        model: LoadedModel = sources.model_load(assets.source, assets.checkout, assets.precision, assets.size)
        example = sources.model_try(model, assets.source.ref)
    prepared.assets = replace(assets, example=example)
    prepared.parameter_count = model.parameter_count
    if wants_onnx:
        _onnx_make(prepared, model, onnx_cache)


def _onnx_make(prepared: Prepared, model: LoadedModel, onnx_cache: Path | None) -> None:
    target = prepared.workdir / f"model-{prepared.assets.precision}.onnx"
    if onnx_cache is not None and _is_cached(onnx_cache):
        prepared.assets = replace(prepared.assets, onnx=cache_take(onnx_cache, target))
        return
    exporting = importlib.import_module("benchmarks.export")
    with prepared.journal.stage("export", EXPORT_WEIGHT, "torch to ONNX"):
        made = exporting.model_export(model, target)
    prepared.assets = replace(prepared.assets, onnx=made.onnx)
    prepared.export_s = made.seconds
    if onnx_cache is not None:
        cache_put(made.onnx, onnx_cache)
