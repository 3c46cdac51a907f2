"""`run`: measure one model, show the progress, print the table or the report."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.cases import DEFAULT_SUITES, Case, ModelSource
from benchmarks.cli.console import console_make
from benchmarks.cli.tables import report_print
from benchmarks.report import Report
from benchmarks.session import measure

_DEFAULT_RUNNERS = {
    "catalogue": ("torch", "onnxruntime"),
    "entry": ("torch", "onnxruntime"),
    "onnx": ("onnxruntime",),
    "engine": ("tensorrt",),
}


def run_command(options: argparse.Namespace) -> int:
    """Measure as asked; 1 when a case failed or nothing could be measured."""
    source, checkout, model = source_of(options)
    with contextlib.ExitStack() as stack:
        folder = options.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-"))
        answer = stack.enter_context(_standard_output_kept())
        reports = [
            _measure_shown(source, model, precision, options, checkout, Path(folder))
            for precision in dict.fromkeys(options.precision or ["fp32"])
        ]
        _reports_answer(reports, answer, as_json=options.json)
    outcomes = [outcome for report in reports for outcome in report.outcomes]
    failed = any(outcome.status == "failed" for outcome in outcomes)
    return 1 if failed or not any(outcome.status == "done" for outcome in outcomes) else 0


def source_of(options: argparse.Namespace) -> tuple[ModelSource, Path, str]:
    """The source, the folder its path starts from, and the model's name for the report."""
    if options.model:
        return ModelSource(kind="catalogue", ref=options.model), Path.cwd(), options.model
    if options.entry:
        path, separator, function = options.entry.rpartition(":")
        root, name = _rooted(Path(path if separator else options.entry))
        return (
            ModelSource(kind="entry", ref=f"{name}{separator}{function if separator else ''}"),
            root,
            Path(name).stem,
        )
    given = Path(options.onnx or options.engine)
    root, name = _rooted(given)
    return ModelSource(kind="onnx" if options.onnx else "engine", ref=name), root, given.stem


def _rooted(path: Path) -> tuple[Path, str]:
    """The folder to start from, the current one where the file lies below it, and the rest."""
    full, here = path.resolve(), Path.cwd().resolve()
    if full.is_relative_to(here):
        return here, str(full.relative_to(here))
    return full.parent, full.name


def _measure_shown(
    source: ModelSource,
    model: str,
    precision: str,
    options: argparse.Namespace,
    checkout: Path,
    workdir: Path,
) -> Report:
    cases = [
        Case(
            model=model,
            runner=runner,
            precision=precision,
            batch=batch,
            suite=suite,
            duration_s=options.duration,
        )
        for runner in dict.fromkeys(options.runner or _DEFAULT_RUNNERS[source.kind])
        for batch in dict.fromkeys(options.batch or [1])
        for suite in dict.fromkeys(options.suite or DEFAULT_SUITES)
    ]
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # drawn when a stage begins and at no other time: a drawing thread would disturb the measurement
    with Progress(*columns, console=console, auto_refresh=False, disable=not console.is_terminal) as progress:
        task = progress.add_task(model, total=1.0)

        def show(stage: str, fraction: float, message: str) -> None:
            progress.update(task, completed=fraction, description=message or stage, refresh=True)

        return measure(
            source,
            model=model,
            precision=precision,
            cases=cases,
            checkout=checkout,
            workdir=workdir,
            on_progress=show,
        )


def _reports_answer(reports: list[Report], answer: int, *, as_json: bool) -> None:
    with os.fdopen(os.dup(answer), "w", encoding="utf-8") as stream:
        if not as_json:
            for report in reports:
                report_print(report, console_make(stream))
            return
        plain = [report.model_dump(mode="json") for report in reports]
        json.dump(plain[0] if len(plain) == 1 else plain, stream)
        stream.write("\n")


@contextlib.contextmanager
def _standard_output_kept() -> Iterator[int]:
    """The true standard output, while whatever else is written to it goes to standard error.

    The watched code and native libraries may print; the answer must stand alone.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield kept
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
