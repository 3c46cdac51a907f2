"""The command line: what may be asked, and who answers."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

from benchmarks.cases import DEFAULT_SUITES, PRECISIONS, RUNNERS, SUITES
from benchmarks.cli.asking import ALL_SUITES
from benchmarks.cli.comparing import compare_command
from benchmarks.cli.layering import layers_add
from benchmarks.cli.listing import env_command, list_command
from benchmarks.cli.profiling import profile_add
from benchmarks.cli.running import run_command
from benchmarks.errors import BenchmarkError, ModelError

BAD_INPUT = 2
FAILED = 1


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit status: 0 done, 1 something failed, 2 a bad input, 3 `--fail-on`."""
    options = parser_make().parse_args(arguments)
    try:
        status: int = options.command(options)
    except ModelError as error:
        return _complain(str(error), BAD_INPUT)
    except ValueError as error:
        return _complain(str(error), BAD_INPUT)
    except BenchmarkError as error:
        return _complain(str(error), FAILED)
    return status


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"error: {message}\n")
    return status


def parser_make() -> argparse.ArgumentParser:
    """The parser of `python -m benchmarks`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure inference models.")
    commands = parser.add_subparsers(required=True, metavar="run|list|compare|profile|layers|env")
    _run_add(commands)
    listing = commands.add_parser("list", help="the models, runners, precisions, suites, options and metrics")
    listing.set_defaults(command=list_command)
    comparing = commands.add_parser("compare", help="the verdict on two reports, per case and metric")
    comparing.add_argument("a", metavar="a.json", help="the report or reports of the last good build")
    comparing.add_argument("b", metavar="b.json", help="the same of the suspect")
    comparing.add_argument(
        "--unstable", action="store_true", help="judge numbers too that their report calls unstable"
    )
    comparing.add_argument(
        "--across-machines", action="store_true", help="compare reports of another device, GPU or processor"
    )
    comparing.add_argument(
        "--fail-on", choices=["regressed"], help="exit with status 3 when a number has this verdict"
    )
    comparing.set_defaults(command=compare_command)
    profile_add(commands, _batch, list(PRECISIONS))
    layers_add(commands)
    env = commands.add_parser("env", help="the facts of this machine and its toolchain")
    env.set_defaults(command=env_command)
    for command in (listing, comparing, env):
        command.add_argument("--json", action="store_true", help="JSON alone on standard output")
    return parser


def _run_add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser("run", help="measure models")
    source = run.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="a catalogue model; repeatable: one after the other, with suite mixed two of them together",
    )
    source.add_argument(
        "--entry", metavar="FILE.py:FUNCTION", help="a function returning (module, example_inputs)"
    )
    source.add_argument("--onnx", metavar="FILE", help="an ONNX file")
    source.add_argument("--engine", metavar="FILE", help="a TensorRT engine")
    run.add_argument("--runner", action="append", choices=list(RUNNERS), help="repeatable")
    run.add_argument(
        "--precision", action="append", choices=list(PRECISIONS), help="repeatable; default fp32"
    )
    run.add_argument("--batch", action="append", type=_batch, metavar="N", help="repeatable; default 1")
    run.add_argument(
        "--suite",
        action="append",
        choices=[*SUITES, ALL_SUITES],
        help=f"repeatable; default {', '.join(DEFAULT_SUITES)}",
    )
    run.add_argument(
        "--option",
        action="append",
        metavar="NAME=VALUE",
        help="repeatable; goes to the cases it concerns; NAME=1,2,4 makes a case of each",
    )
    run.add_argument(
        "--duration", type=_duration, default=1.0, metavar="SECONDS", help="of each case; default 1"
    )
    run.add_argument(
        "--evaluate",
        metavar="FILE.py:FUNCTION",
        help="your own quality metrics: called with the model, returns {name: value}",
    )
    run.add_argument(
        "--evaluate-lower", action="append", metavar="NAME", help="one of them of which less is better"
    )
    run.add_argument("--price", type=_price, metavar="PER_HOUR", help="of the device: adds what things cost")
    run.add_argument("--device", choices=["cpu", "cuda"], help="default: the GPU where there is one")
    run.add_argument(
        "--no-canary", action="store_true", help="leave out the pinned computation before and after"
    )
    run.add_argument("--keep", metavar="FOLDER", help="keep the ONNX file and the engines there")
    run.add_argument("--json", action="store_true", help="the report or reports alone on standard output")
    run.set_defaults(command=run_command)


def _batch(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value <= 65536:
        raise argparse.ArgumentTypeError(f"a batch is a whole number from 1 to 65536, not {text!r}")
    return value


def _price(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"a price is a number above 0, not {text!r}")
    return value


def _duration(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 43200:
        raise argparse.ArgumentTypeError(
            f"a duration is a number of seconds above 0, 43200 at most, not {text!r}"
        )
    return value
