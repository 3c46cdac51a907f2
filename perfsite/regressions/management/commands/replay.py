"""`manage.py replay`: try the detection on a history of one's own."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.regressions.replay import Options, replay

HELP = """\
Find the changes in series: JSON lines {"name", "values": [..], "lower_is_better"} on standard input, a line
with the changes of each on standard output.  Needs no database and no service.  A value is a number, a list
of repeats, or null where nothing was measured."""


class Command(BaseCommand):
    """Replay series from standard input."""

    help = HELP
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--online",
            action="store_true",
            help="feed the points one by one; adds detected_at to each change",
        )
        parser.add_argument(
            "--confirm",
            action="store_true",
            help='with --online: ask for pairs of runs, {"ask": {"name", "a", "b", "pairs"}}; a line '
            '{"a": [..], "b": [..]} answers',
        )
        parser.add_argument(
            "--score",
            action="store_true",
            help='compare with "labels": [index] of each line; a last line tells',
        )
        parser.add_argument(
            "--relevant", type=float, default=0.01, help="smallest relative change to tell (default 0.01)"
        )
        parser.add_argument(
            "--grain",
            type=float,
            default=0.0,
            help="smallest change to tell in the unit of the values (default 0)",
        )
        parser.add_argument(
            "--pairs",
            type=int,
            default=Options.pairs,
            help=f"most pairs that may confirm one suspicion (default {Options.pairs})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay, and fail at the end when a line could not be used."""
        names = ("online", "confirm", "score", "relevant", "grain", "pairs")
        chosen = Options(**{name: options[name] for name in names})
        if chosen.confirm and not chosen.online:
            raise CommandError("--confirm asks about the newest build; add --online")
        if (
            not 0 <= chosen.relevant < float("inf")
            or not 0 <= chosen.grain < float("inf")
            or chosen.pairs < 2
        ):
            raise CommandError("--relevant and --grain are zero or more, --pairs at least 2")
        if sys.stdin is None:
            raise CommandError("there is no standard input; pipe the series in")
        try:
            good = replay(sys.stdin.buffer, self.row_write, self.stderr.write, chosen)
        except BrokenPipeError:
            # nobody reads on: what Python would still flush at its end has no place to go
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise CommandError("nobody reads the output any more") from None
        if not good:
            raise CommandError("some lines could not be used; the others were replayed")

    def row_write(self, row: dict[str, object]) -> None:
        """One line, flushed, as a simulator may wait for it."""
        self.stdout.write(json.dumps(row))
        self.stdout.flush()
