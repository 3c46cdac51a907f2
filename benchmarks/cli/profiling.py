"""`profile`: one case under the runner's own profiler, in a process of its own."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.cases import RUNNERS, Case
from benchmarks.cli.asking import option_values, sources_of
from benchmarks.cli.console import console_make
from benchmarks.cli.tables import line_print
from benchmarks.errors import MeasureError
from benchmarks.isolation import isolated
from benchmarks.options import Pairs, option_concerns
from benchmarks.profiling import profile_report
from benchmarks.report import Report

SECONDS_MOST = 600.0  # of the whole process, export and engine included
EVERY_S = 0.2


def profile_command(options: argparse.Namespace) -> int:
    """Leave the files of the profile in a folder and name them; 1 when the case could not be profiled.

    Raises:
        ValueError: the command line asks for what cannot be.
        BenchmarkError: the model cannot be loaded or exported, or it took longer than ten minutes.
    """
    folder = Path(options.out)
    report = isolated(_profile, options, folder, meanwhile=_deadline(SECONDS_MOST), every_s=EVERY_S)
    console = console_make()
    for remark in report.remarks:
        line_print(f"remark: {remark.sentence}", console)
    (outcome,) = report.outcomes
    if outcome.status != "done":
        sys.stderr.write(f"{outcome.status}: {outcome.reason}\n")
        return 1
    for artifact in report.artifacts:
        line_print(str(folder / artifact.name), console)
    return 0


def _profile(options: argparse.Namespace, folder: Path) -> Report:
    """What the child does."""
    ((source, checkout, model),) = sources_of(options)
    case = Case(
        model=model,
        runner=options.runner,
        precision=options.precision,
        batch=options.batch,
        suite="latency",
        duration_s=1.0,
        options=_options_of(options),
    )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="profile-", dir=folder) as name:
        report = profile_report(
            source,
            model=model,
            precision=options.precision,
            cases=[case],
            checkout=checkout,
            workdir=Path(name),
            on_progress=_ignore,
            side=options.side,
            device=options.device,
        )
        for artifact in report.artifacts:  # what was exported and built on the way goes with the folder
            (Path(name) / artifact.name).rename(folder / artifact.name)
    return report


def _options_of(options: argparse.Namespace) -> Pairs:
    found = []
    for name, values in option_values(options.option or ()).items():
        if len(values) != 1 or not option_concerns(name, suite="latency", runner=options.runner):
            raise ValueError(f"option {name}: a profile takes one value of an option of its runner")
        found.append((name, values[0]))
    return tuple(found)


def _deadline(seconds: float) -> Callable[[int], None]:
    ends = time.monotonic() + seconds

    def look(_pid: int) -> None:
        if time.monotonic() > ends:
            raise MeasureError(
                f"the profile took longer than {seconds:g} s and was ended; take a smaller batch"
            )

    return look


def _ignore(_stage: str, _fraction: float, _message: str) -> None:
    """A profile takes seconds: nobody needs its stages."""


def profile_add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    batch: Callable[[str], int],
    precisions: list[str],
) -> None:
    """The subcommand and its options."""
    parser = commands.add_parser("profile", help="one case under the runner's own profiler, layer by layer")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", action="append", metavar="NAME", help="a catalogue model")
    source.add_argument("--entry", metavar="FILE.py:FUNCTION", help="a function returning (module, example)")
    source.add_argument("--onnx", metavar="FILE", help="an ONNX file")
    source.add_argument("--engine", metavar="FILE", help="a TensorRT engine")
    parser.add_argument("--runner", choices=list(RUNNERS), default="torch", help="default torch")
    parser.add_argument("--precision", choices=precisions, default="fp32", help="default fp32")
    parser.add_argument("--batch", type=batch, default=1, metavar="N", help="default 1")
    parser.add_argument("--option", action="append", metavar="NAME=VALUE", help="repeatable; of the runner")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: the GPU where there is one")
    parser.add_argument("--side", default="", metavar="WORD", help="begins the files' names: good, suspect")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the files go")
    parser.set_defaults(command=profile_command, evaluate=None, evaluate_lower=None)
