"""`layers a b`: what differs layer by layer between two profiles or engines, ranked."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cli.console import console_make
from benchmarks.cli.tables import line_print
from benchmarks.layers import Change, Difference, Layer, layers_difference, layers_read
from benchmarks.layers.wording import (
    change_words,
    details_words,
    explained_sentence,
    names_words,
    percent_words,
)
from benchmarks.metrics import format_seconds

SHOWN = 20


def layers_add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The subcommand and its options."""
    parser = commands.add_parser(
        "layers", help="what differs layer by layer between two profiles, or two engines"
    )
    formats = "layers of `profile`, TensorRT's inspector or profiler, onnxruntime's profile, torch's trace"
    parser.add_argument("a", metavar="a.json", help=f"of the last good build: {formats}; .gz too")
    parser.add_argument("b", metavar="b.json", help="the same of the suspect")
    parser.add_argument(
        "--before", type=float, metavar="SECONDS", help="one inference of a, measured without a profiler"
    )
    parser.add_argument("--after", type=float, metavar="SECONDS", help="the same of b")
    parser.add_argument("--top", type=int, default=SHOWN, metavar="N", help=f"groups shown; default {SHOWN}")
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output, every group")
    parser.set_defaults(command=layers_command)


def layers_command(options: argparse.Namespace) -> int:
    """Print the ranked difference.

    Raises:
        ValueError: a file is none of the known formats, or only one of --before and --after is given.
    """
    if (options.before is None) != (options.after is None):
        raise ValueError("--before and --after belong together: one inference of each build, in seconds")
    before, after = layers_read(Path(options.a)), layers_read(Path(options.b))
    found = layers_difference(before, after, before_s=options.before, after_s=options.after)
    console = console_make()
    if options.json:
        console.out(json.dumps(difference_plain(found)), highlight=False)
        return 0
    _print(found, max(1, options.top), console)
    if before.form != after.form:
        line_print(f"a is {before.form} and b {after.form}: their times may not mean the same", console)
    return 0


def difference_plain(found: Difference) -> dict[str, Any]:
    """The difference as JSON holds it: seconds, and shares of the change from end to end."""
    return {
        "before_s": found.before_s,
        "after_s": found.after_s,
        "whole": found.whole,
        "layers_before_s": found.layers_before_s,
        "layers_after_s": found.layers_after_s,
        "explained": found.explained,
        "rest_s": found.rest_s,
        "changes": [_plain(one) for one in found.changes],
    }


def _plain(change: Change) -> dict[str, Any]:
    return {
        "how": change.group.how,
        "before": [_layer(one) for one in change.group.before],
        "after": [_layer(one) for one in change.group.after],
        "before_s": change.before_s,
        "after_s": change.after_s,
        "change_s": change.seconds,
        "share": change.share,
        "details": [vars(one) for one in change.details],
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {**vars(layer), "origins": sorted(layer.origins)}


def _print(found: Difference, top: int, console: Console) -> None:
    table = Table("layers")
    for heading in ("before", "after", "change", "share"):
        table.add_column(heading, no_wrap=True, justify="right")
    table.add_column("what differs")
    for one in found.changes[:top]:
        table.add_row(names_words(one), *_numbers(one), details_words(one))
    console.print(table)
    left = len(found.changes) - top
    if left > 0:
        rest = sum(one.seconds or 0.0 for one in found.changes[top:])
        line_print(f"{left} more groups, together {change_words(rest)}", console)
    line_print(explained_sentence(found), console)


def _numbers(change: Change) -> Iterable[str]:
    for value in (change.before_s, change.after_s):
        yield "" if value is None else format_seconds(value)
    yield "" if change.seconds is None else change_words(change.seconds)
    yield "" if change.share is None else percent_words(change.share)
