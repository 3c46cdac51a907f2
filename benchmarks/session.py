"""One job: the cases of one model and precision, sharing one export and one engine per runner."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from benchmarks.canary import canary_failed, canary_remarks, canary_time
from benchmarks.case_runner import WARM_WEIGHT, CaseRunner
from benchmarks.cases import Case, ModelSource
from benchmarks.collector import collector_settled
from benchmarks.device import DeviceKind, device_choose
from benchmarks.environment import environment_read
from benchmarks.isolation import isolated
from benchmarks.nursery import nursery_open
from benchmarks.prepare import EXPORT_WEIGHT, libraries_import, sources_prepare
from benchmarks.prepared import ENGINE_WEIGHT, Prepared
from benchmarks.progress import Journal, OnProgress
from benchmarks.report import CanaryReading, Remark, Report

GENERATOR = "benchmarks 1"


def measure(
    source: ModelSource,
    *,
    model: str,
    precision: str,
    cases: Sequence[Case],
    checkout: Path,
    workdir: Path,
    on_progress: OnProgress,
    onnx_cache: Path | None = None,
    device: DeviceKind | None = None,
    price_per_hour: float | None = None,
    canary: bool = True,
) -> Report:
    """Measure `cases` of one model and precision and report.

    `checkout` is the folder that paths in `source` start from; files made go to `workdir`.
    `on_progress(stage, fraction, message)` hears of each step.  `onnx_cache` names a file that keeps
    the export between the blocks of one build: taken, its digest checked, where it is there, and
    made where it is not; `export_time` is reported only by the block that exported.
    `price_per_hour` is of the device, in any currency.  With `canary` a pinned small computation is
    timed before and after the cases.

    Raises:
        ModelError: the model cannot be loaded or its forward raises.
        ExportError: it does not become an ONNX file.
        IntegrityError: the kept ONNX file is not the one that was exported.
        ValueError: there is no case, or a case is of another model or precision.
    """
    _cases_check(cases, model, precision)
    chosen = device or device_choose()
    workdir.mkdir(parents=True, exist_ok=True)
    total = EXPORT_WEIGHT + ENGINE_WEIGHT + sum(case.duration_s * WARM_WEIGHT for case in cases)
    journal = Journal(on_progress, total)
    with nursery_open(lambda: libraries_import(source, cases, onnx_cache, journal)) as nursery:
        prepared = sources_prepare(
            source=source,
            precision=precision,
            cases=cases,
            checkout=checkout,
            workdir=workdir,
            device=chosen,
            onnx_cache=onnx_cache,
            journal=journal,
            nursery=nursery,
        )
        results = CaseRunner(prepared, journal, price_per_hour)
        with collector_settled():
            sung = [_canary_sing(prepared, "before")] if canary else []
            results.measure_all(cases)
            sung += [_canary_sing(prepared, "after")] if canary else []
    readings = tuple(one for one in sung if isinstance(one, CanaryReading))
    results.remarks += [one for one in sung if isinstance(one, Remark)]
    results.remarks += canary_remarks(readings)
    journal.finish()
    return _report_make(source, model, precision, chosen, prepared, results, journal, readings)


def _canary_sing(prepared: Prepared, when: Literal["before", "after"]) -> CanaryReading | Remark:
    """The canary, on a GPU in a child where that is cheap; where it fails, a remark that says so.

    What the cases leave of CUDA in this process, broken perhaps, then has no part in it.
    """
    device = prepared.assets.device
    try:
        if device == "cuda" and prepared.nursery is not None:
            return isolated(canary_time, device, when, nursery=prepared.nursery)
        return canary_time(device, when)
    except Exception as error:  # a GPU that a case has broken must not take what was measured with it
        return canary_failed(when, error)


def measure_block(
    source: ModelSource,
    *,
    model: str,
    precision: str,
    cases: Sequence[Case],
    checkout: Path,
    workdir: Path,
    on_progress: OnProgress,
    onnx_cache: Path,
) -> Report:
    """One side of one pair of a comparison: `measure`, in a fresh process, exporting once per build."""
    return measure(
        source,
        model=model,
        precision=precision,
        cases=cases,
        checkout=checkout,
        workdir=workdir,
        on_progress=on_progress,
        onnx_cache=onnx_cache,
        canary=False,  # a pair is its own witness of the machine
    )


def _cases_check(cases: Sequence[Case], model: str, precision: str) -> None:
    if not cases:
        raise ValueError("a job needs at least one case")
    for case in cases:
        if (case.model, case.precision) != (model, precision):
            raise ValueError(f"{case.label} is no case of {model} in {precision}")


def _report_make(
    source: ModelSource,
    model: str,
    precision: str,
    device: DeviceKind,
    prepared: Prepared,
    results: CaseRunner,
    journal: Journal,
    canary: tuple[CanaryReading, ...],
) -> Report:
    onnx, engine = prepared.assets.onnx, prepared.assets.engine
    engines = [build.engine for build in prepared.builds.values()] or ([engine] if engine else [])
    return Report(
        created_at=datetime.now(UTC),
        generator=GENERATOR,
        model=model,
        source=source,
        precision=precision,
        environment=environment_read(device),
        onnx_sha256=onnx.identity if onnx else None,
        engine_sha256=engines[0].sha256 if engines else None,
        stages=tuple(journal.stages),
        outcomes=tuple(results.outcomes),
        measurements=tuple(results.measurements),
        readings=tuple(results.readings),
        canary=canary,
        remarks=tuple(results.remarks),
        artifacts=tuple(artifact.ref() for artifact in (*prepared.artifacts, *results.artifacts)),
    )
