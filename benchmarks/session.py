"""One job: the cases of one model and precision, sharing one export and one engine per runner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from benchmarks.cases import Case, ModelSource
from benchmarks.collector import collector_settled
from benchmarks.device import DeviceKind, device_choose
from benchmarks.environment import environment_read
from benchmarks.errors import BuildError, CannotRun, ModelError
from benchmarks.prepare import ENGINE_WEIGHT, EXPORT_WEIGHT, Prepared, sources_prepare
from benchmarks.progress import Journal, OnProgress
from benchmarks.report import Measurement, Outcome, Remark, Report
from benchmarks.runners.base import Runner
from benchmarks.runners.table import ROWS, runner_open
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.table import SUITE_ROWS

GENERATOR = "benchmarks 1"
WARM_WEIGHT = 1.4  # a case takes its duration, its warm-up and its load


@dataclass
class _Results:
    outcomes: list[Outcome] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


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
) -> Report:
    """Measure `cases` of one model and precision and report.

    `checkout` is the folder that paths in `source` start from; files made go to `workdir`.
    `on_progress(stage, fraction, message)` hears of each step.  `onnx_cache` names a file that keeps
    the export between the blocks of one build: taken, its digest checked, where it is there, and
    made where it is not; `export_time` is reported only by the block that exported.

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
    prepared = sources_prepare(
        source=source,
        precision=precision,
        cases=cases,
        checkout=checkout,
        workdir=workdir,
        device=chosen,
        onnx_cache=onnx_cache,
        journal=journal,
    )
    with collector_settled():
        results = _cases_measure(prepared, cases, journal)
    journal.finish()
    return _report_make(source, model, precision, chosen, prepared, results, journal)


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
    )


def _cases_check(cases: Sequence[Case], model: str, precision: str) -> None:
    if not cases:
        raise ValueError("a job needs at least one case")
    for case in cases:
        if (case.model, case.precision) != (model, precision):
            raise ValueError(f"{case.label} is no case of {model} in {precision}")


def _cases_measure(prepared: Prepared, cases: Sequence[Case], journal: Journal) -> _Results:
    results = _Results()
    for (loaded, runner), group in groupby(
        sorted(cases, key=_order), key=lambda case: (SUITE_ROWS[case.suite].loaded, case.runner)
    ):
        if loaded:
            _group_measure(prepared, runner, list(group), results, journal)
            continue
        for case in group:
            _case_measure(prepared, case, None, results, journal)
    return results


def _order(case: Case) -> tuple[int, bool, str, int]:
    """Suites by their rank, and engines last: building one ends the time in which a fork is safe."""
    return SUITE_ROWS[case.suite].rank, ROWS[case.runner].loads == "engine", case.runner, case.batch


def _group_measure(
    prepared: Prepared, runner_name: str, cases: list[Case], results: _Results, journal: Journal
) -> None:
    """The cases that share one loaded runner."""
    try:
        runner = runner_open(runner_name, prepared.assets_of(runner_name))
        with runner:
            for case in cases:
                _case_measure(prepared, case, runner, results, journal)
    except ModelError:
        raise
    except Exception as error:  # a runner that does not load must not stop the others
        ended = {outcome.case for outcome in results.outcomes}
        results.outcomes += [_outcome_of(error, case) for case in cases if case not in ended]


def _case_measure(
    prepared: Prepared, case: Case, runner: Runner | None, results: _Results, journal: Journal
) -> None:
    try:
        assets = prepared.assets_of(case.runner)  # may build an engine, which is a stage of its own
        with journal.stage(case.suite, case.duration_s * WARM_WEIGHT, case.label):
            if runner is not None:
                runner.bind(case.batch)
            bench = Bench(
                case=case,
                assets=assets,
                runner=runner,
                parameter_count=prepared.parameter_count,
                export_s=prepared.export_s,
                build=prepared.builds.get(case.runner),
                forkable=prepared.forkable,
            )
            findings = SUITE_ROWS[case.suite].measure(bench)
    except ModelError:
        raise  # the watched code's fault: the whole job fails with it
    except Exception as error:  # one failed case must not stop the others
        results.outcomes.append(_outcome_of(error, case))
        if isinstance(error, BuildError) and case.suite == "build":
            refused = Findings(case)
            refused.add("engine_build_success", 0.0)
            results.measurements += refused.measurements
        return
    results.outcomes.append(Outcome(case=case, status="done"))
    results.measurements += findings.measurements
    results.remarks += findings.remarks


def _outcome_of(error: Exception, case: Case) -> Outcome:
    if isinstance(error, CannotRun):
        return Outcome(case=case, status="skipped", reason=str(error))
    return Outcome(case=case, status="failed", reason=f"{type(error).__name__}: {error}"[:2000])


def _report_make(
    source: ModelSource,
    model: str,
    precision: str,
    device: DeviceKind,
    prepared: Prepared,
    results: _Results,
    journal: Journal,
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
        onnx_sha256=onnx.sha256 if onnx else None,
        engine_sha256=engines[0].sha256 if engines else None,
        stages=tuple(journal.stages),
        outcomes=tuple(results.outcomes),
        measurements=tuple(results.measurements),
        remarks=tuple(results.remarks),
        artifacts=tuple(artifact.ref() for artifact in prepared.artifacts),
    )
