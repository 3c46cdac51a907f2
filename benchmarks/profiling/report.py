"""A profile as a report: what a worker's child measures for a job of the kind `profile`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.device import DeviceKind, device_choose
from benchmarks.environment import environment_read
from benchmarks.errors import BenchmarkError, CannotRun, ExportError, IntegrityError, ModelError
from benchmarks.profiling.take import profile_take
from benchmarks.progress import OnProgress
from benchmarks.report import Outcome, Remark, Report

GENERATOR = "benchmarks 1"


def profile_report(
    source: ModelSource,
    *,
    model: str,
    precision: str,
    cases: Sequence[Case],
    checkout: Path,
    workdir: Path,
    on_progress: OnProgress,
    side: str = "",
    onnx_cache: Path | None = None,
    device: DeviceKind | None = None,
) -> Report:
    """Profile one build's cases, each once, and report files of the kind `profile`, no measurements.

    The signature is that of `session.measure`, so that a block may call either.  `side` (`good` or
    `suspect` in a job of two builds) begins the names of the files, which must differ within a job:
    `good.onnxruntime.b1.layers.json.gz` (the common form, see `benchmarks.layers`) and beside it the
    profiler's own file, `good.onnxruntime.b1.trace.json.gz` or `good.tensorrt.b1.nsys-rep`.
    A case that cannot be profiled here is an outcome `skipped` or `failed` with its reason.

    Raises:
        ModelError: the model cannot be loaded or its forward raises.
        ExportError: it does not become an ONNX file.
        IntegrityError: the kept ONNX file is not the one that was exported.
        ValueError: there is no case, or a case is of another model or precision.
    """
    if not cases:
        raise ValueError("a profile needs at least one case")
    artifacts: list[Artifact] = []
    outcomes: list[Outcome] = []
    remarks: list[Remark] = []
    for case in cases:
        try:
            taken = profile_take(
                source,
                model=model,
                precision=precision,
                case=case,
                checkout=checkout,
                workdir=workdir,
                on_progress=on_progress,
                side=side,
                onnx_cache=onnx_cache,
                device=device,
            )
        except (ModelError, ExportError, IntegrityError):
            raise
        except BenchmarkError as error:  # one case that cannot must not stop the others
            skipped = isinstance(error, CannotRun)
            outcomes.append(Outcome(case=case, status="skipped" if skipped else "failed", reason=str(error)))
            continue
        outcomes.append(Outcome(case=case, status="done"))
        artifacts += taken.artifacts
        remarks += taken.remarks
    return Report(
        created_at=datetime.now(UTC),
        generator=GENERATOR,
        model=model,
        source=source,
        precision=precision,
        environment=environment_read(device or device_choose()),
        outcomes=tuple(outcomes),
        remarks=tuple(remarks),
        artifacts=tuple(artifact.ref() for artifact in artifacts),
    )
