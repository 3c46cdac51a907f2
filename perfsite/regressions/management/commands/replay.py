"""`manage.py replay`: try the detection on a history of one's own."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, get_args

from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.regressions.detection import Budget, Spending
from perfsite.regressions.replay import Options, RuleName, replay

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
            help=f"with --confirm: most pairs of one suspicion (default {Spending.most}; of the "
            f"service's rule {Budget.most})",
        )
        parser.add_argument(
            "--alpha",
            type=float,
            help="with --confirm: share of false confirmations that is allowed, per comparison (default "
            f"{Spending.alpha}; of the service's rule {Budget.alpha})",
        )
        parser.add_argument(
            "--rule",
            choices=get_args(RuleName),
            help="with --confirm: who asks and decides; pairs (default) keeps all pairs on file, service is "
            "what the site itself does",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay, and fail at the end when a line could not be used."""
        chosen = options_checked(options)
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


def options_checked(options: dict[str, Any]) -> Options:
    """How to replay, as the options say.

    Raises:
        CommandError: they contradict each other, or a number is out of its bounds.
    """
    names = ("online", "confirm", "score", "relevant", "grain", "pairs", "alpha", "rule")
    given = {name: options[name] for name in names if options[name] is not None}
    chosen = Options(**given)
    if chosen.confirm and not chosen.online:
        raise CommandError("--confirm asks about the newest build; add --online")
    lonely = [f"--{name}" for name in ("pairs", "alpha", "rule") if name in given and not chosen.confirm]
    if lonely:
        raise CommandError(f"{lonely[0]} is about pairs of runs; add --online --confirm")
    if not 0 <= chosen.relevant < float("inf") or not 0 <= chosen.grain < float("inf"):
        raise CommandError("--relevant and --grain are zero or more")
    if chosen.pairs is not None and chosen.pairs < 2:
        raise CommandError(f"--pairs is {chosen.pairs}; a comparison needs at least 2")
    if chosen.alpha is not None and not 0 < chosen.alpha < 1:
        raise CommandError(
            f"--alpha is {chosen.alpha:g}; it is a share between 0 and 1, such as 0.01 for 1 %"
        )
    return chosen
