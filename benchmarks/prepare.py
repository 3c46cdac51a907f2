"""From a source to what the runners load: module, ONNX file and engines, each made once per job."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.device import DeviceKind, threads_choose
from benchmarks.engines.check import engine_file_check
from benchmarks.errors import CannotRun, ModelError
from benchmarks.models.catalogue import catalogue_module
from benchmarks.nursery import Nursery
from benchmarks.onnx_cache import cache_put, cache_take
from benchmarks.preload import libraries_preload, modules_import
from benchmarks.prepared import ENGINE_WEIGHT, NO_ONNX, Prepared
from benchmarks.progress import Journal
from benchmarks.quantization.recipes import RECIPES
from benchmarks.runners.base import Assets
from benchmarks.runners.table import ROWS
from benchmarks.serving.batching import batch_sizes

if TYPE_CHECKING:
    from benchmarks.models.source import LoadedModel

EXPORT_WEIGHT = 3.0


def libraries_import(
    source: ModelSource, cases: Sequence[Case], onnx_cache: Path | None, journal: Journal
) -> None:
    """Import what the cases, their export and a catalogue's model need; nobody else's code."""
    runners, wants_onnx = _runners(cases)
    export = source.kind in ("catalogue", "entry") and wants_onnx and not _is_cached(onnx_cache)
    with journal.stage("import", 1.0, "libraries"):
        libraries_preload(runners, export=export)
        if source.kind == "catalogue":
            modules_import(filter(None, [catalogue_module(source.ref)]))


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
    nursery: Nursery | None,
) -> Prepared:
    """Load the model, and export it if a case needs the ONNX file.  The libraries are imported before.

    Raises:
        ModelError: the model cannot be loaded or its forward raises.
        ExportError: it does not become an ONNX file.
        IntegrityError: the kept ONNX file is not the one that was exported.
    """
    runners, wants_onnx = _runners(cases)
    prepared = Prepared(
        assets=Assets(source, checkout, precision, device, threads_choose()),
        workdir=workdir,
        batches={name: _batches([case for case in cases if case.runner == name]) for name in runners},
        journal=journal,
        fill=_variant_fill,
        nursery=nursery,
    )
    _source_take(prepared, onnx_cache, wants_onnx=wants_onnx)
    return prepared


def _runners(cases: Sequence[Case]) -> tuple[list[str], bool]:
    """The runners of the cases, and whether one of them needs the ONNX file."""
    runners = sorted({case.runner for case in cases})
    return runners, any(ROWS[runner].loads != "module" for runner in runners)


def _batches(cases: Sequence[Case]) -> tuple[int, ...]:
    """Every batch that these cases bind: their own, each size of a server, each doubling of a search."""
    found = {case.batch * size for case in cases for size in batch_sizes(case.option("max_batch", 1))}
    for case in cases:
        batch = case.batch
        while batch <= case.option("largest_batch", case.batch):
            found.add(batch)
            batch *= 2
    return tuple(sorted(found))


def _variant_fill(prepared: Prepared, wants_onnx: bool) -> None:
    _source_take(prepared, None, wants_onnx=wants_onnx)


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
        engine_file_check(path, (runner for runner in prepared.batches if ROWS[runner].loads == "engine"))
        prepared.assets = replace(prepared.assets, engine=Artifact.seal(path, "engine"))
        return
    graph = importlib.import_module("benchmarks.models.graph")  # needs onnx, which an engine does not
    graph.weights_confined(path, prepared.assets.checkout)
    model = graph.graph_read(path)
    beside = importlib.import_module("benchmarks.models.external").external_files(model, path)
    prepared.assets = replace(
        prepared.assets,
        onnx=Artifact.seal(path, "onnx", beside),
        example=graph.graph_example(model, path.name),
    )


def _module_prepare(prepared: Prepared, onnx_cache: Path | None, *, wants_onnx: bool) -> None:
    # torch: heavy, and not needed for a job that was given an ONNX file or an engine
    sources = importlib.import_module("benchmarks.models.source")
    assets = prepared.assets
    with prepared.journal.stage("load", 0.1, assets.source.ref):
        model: LoadedModel = sources.model_load(assets.source, assets.checkout, assets.precision, assets.size)
        example = sources.model_try(model, assets.source.ref)
    if prepared.nursery is not None:
        prepared.nursery.imports_add(model.libraries(assets.checkout))
    prepared.assets = replace(assets, example=example)
    prepared.parameter_count = model.parameter_count
    if wants_onnx:
        _onnx_make(prepared, model, onnx_cache)


def _onnx_make(prepared: Prepared, model: LoadedModel, onnx_cache: Path | None) -> None:
    """The job's ONNX file; what forbids one is kept for the cases that need it."""
    target = prepared.workdir / f"model-{prepared.assets.precision}.onnx"
    if onnx_cache is not None and _is_cached(onnx_cache):
        prepared.assets = replace(prepared.assets, onnx=cache_take(onnx_cache, target))
        return
    try:
        onnx = _export(prepared, model, target, onnx_cache)
    except CannotRun as refusal:
        prepared.refusals[NO_ONNX] = refusal
        return
    prepared.assets = replace(prepared.assets, onnx=onnx)
    if onnx_cache is not None:
        cache_put(onnx, onnx_cache)


def _export(prepared: Prepared, model: LoadedModel, target: Path, onnx_cache: Path | None) -> Artifact:
    """The module as an ONNX file at `target`, quantized where the precision asks for it."""
    precision = prepared.assets.precision
    exporting = importlib.import_module("benchmarks.export")
    quantized = precision in RECIPES
    exported = target.with_name(f"base-of-{precision}.onnx") if quantized else target
    with prepared.journal.stage("export", EXPORT_WEIGHT, "torch to ONNX"):
        made = exporting.model_export(model, exported)
    prepared.export_s = made.seconds
    onnx: Artifact = made.onnx
    if not quantized:
        return onnx
    quantizing = importlib.import_module("benchmarks.quantization.quantize")
    kept = None if onnx_cache is None else onnx_cache.parent
    with prepared.journal.stage("quantize", ENGINE_WEIGHT, f"{onnx.path.name} to {precision}"):
        quantized_onnx: Artifact = quantizing.graph_quantize(
            onnx, prepared.assets.example, precision, target, kept=kept
        ).onnx
    return quantized_onnx
