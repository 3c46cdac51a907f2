"""`run`: measure what was asked, show the progress, print the table or the report."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.cli.asking import Asked, jobs_asked
from benchmarks.cli.console import console_make
from benchmarks.cli.interrupts import Interrupts, interrupts_kept
from benchmarks.cli.tables import report_print, unmeasured_print
from benchmarks.device import device_choose
from benchmarks.errors import BenchmarkError
from benchmarks.isolation import isolated
from benchmarks.progress import OnProgress
from benchmarks.report import Report
from benchmarks.session import measure

INTERRUPT_LOOK_S = 0.1


def run_command(options: argparse.Namespace) -> int:
    """Measure as asked; 1 when a case failed or nothing could be measured.

    Raises:
        ValueError: the command line asks for what cannot be.
        BenchmarkError: a model cannot be measured at all, and it was the only one or all were so.
    """
    jobs = jobs_asked(options)
    if options.device == "cuda" and device_choose() != "cuda":
        raise ValueError("--device cuda: no NVIDIA GPU is visible here; leave it out to use the processor")
    with contextlib.ExitStack() as stack:
        folder = options.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-"))
        answer = stack.enter_context(_standard_output_kept())
        if len(jobs) == 1:
            reports, lost = [_measure_shown(jobs[0], options, Path(folder))], 0
        else:
            reports, lost = _measure_several(jobs, options, Path(folder))
        _reports_answer(reports, answer, as_json=options.json)
    outcomes = [outcome for report in reports for outcome in report.outcomes]
    failed = lost or any(outcome.status == "failed" for outcome in outcomes)
    return 1 if failed or not any(outcome.status == "done" for outcome in outcomes) else 0


def _measure_several(
    jobs: list[Asked], options: argparse.Namespace, folder: Path
) -> tuple[list[Report], int]:
    """The reports of the jobs, and how many there are none of: a model that fails stops no other.

    Raises:
        BenchmarkError: every one failed; the first one's error.
        KeyboardInterrupt: Ctrl-C came before anything was to be reported.
    """
    several = len({job.model for job in jobs}) > 1
    reports, errors = [], []
    with interrupts_kept() as interrupts:
        for job in jobs:
            if interrupts.asked:
                break
            sys.stderr.write(f"{job.model} {job.precision}\n")
            try:
                reports.append(
                    _measure_apart(job, options, folder / job.model if several else folder, interrupts)
                )
            except BenchmarkError as error:
                sys.stderr.write(f"failed: {job.model} {job.precision}: {error}\n")
                errors.append(error)
    if not reports:
        raise KeyboardInterrupt if interrupts.asked else errors[0]
    if interrupts.asked:
        sys.stderr.write(f"stopped: {len(reports)} of {len(jobs)} are reported\n")
    return reports, len(jobs) - len(reports)


def _measure_apart(job: Asked, options: argparse.Namespace, workdir: Path, interrupts: Interrupts) -> Report:
    """One of several jobs, in a process of its own: what the one before left is not measured with it."""
    return isolated(_job_apart, job, options, workdir, meanwhile=interrupts.pass_on, every_s=INTERRUPT_LOOK_S)


def _job_apart(job: Asked, options: argparse.Namespace, workdir: Path) -> Report:
    # of Ctrl-C, which a terminal sends to all, the command's own process tells by SIGTERM
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return _job_measure(job, options, workdir, _ignore)


def _measure_shown(job: Asked, options: argparse.Namespace, workdir: Path) -> Report:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # drawn when a stage begins and at no other time: a drawing thread would disturb the measurement
    with Progress(*columns, console=console, auto_refresh=False, disable=not console.is_terminal) as progress:
        task = progress.add_task(job.model, total=1.0)

        def show(stage: str, fraction: float, message: str) -> None:
            progress.update(task, completed=fraction, description=message or stage, refresh=True)

        return _job_measure(job, options, workdir, show)


def _job_measure(job: Asked, options: argparse.Namespace, workdir: Path, on_progress: OnProgress) -> Report:
    return measure(
        job.source,
        model=job.model,
        precision=job.precision,
        cases=job.cases,
        checkout=job.checkout,
        workdir=workdir,
        on_progress=on_progress,
        device=options.device,
        price_per_hour=options.price,
        canary=not options.no_canary,
    )


def _ignore(_stage: str, _fraction: float, _message: str) -> None:
    """A job in a process of its own shows no stages."""


def _reports_answer(reports: list[Report], answer: int, *, as_json: bool) -> None:
    with os.fdopen(os.dup(answer), "w", encoding="utf-8") as stream:
        if not as_json:
            console = console_make(stream)
            for report in reports:
                report_print(report, console)
            unmeasured_print(reports, console)
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
