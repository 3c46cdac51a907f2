"""`manage.py dry_run`: what another rule would have made of a project's history."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.grading.dry_run import EVERY_POINT, DryRun, Side, Told, dry_run
from perfsite.regressions.grading.rules import RELEVANT_HELP, rule_with
from perfsite.regressions.grading.words import rule_words, side_words, told_words
from perfsite.regressions.management.commands.grade import project_named

_SHOWN = 20


class Command(BaseCommand):
    """Try parameters on the history; nothing is written."""

    help = "Print what a change of the rule's parameters would have changed; nothing is written."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--project", required=True, help="its short name in URLs")
        parser.add_argument("--score", type=float, help="standard errors a suspicion needs")
        parser.add_argument("--alpha", type=float, help="share of false confirmations that is allowed")
        parser.add_argument("--max-pairs", type=int, help="pairs that a comparison may run")
        parser.add_argument(
            "--relevant",
            action="append",
            default=[],
            metavar="KEY=PART",
            help="smallest relative change worth telling, latency_p50=0.05 is 5 %%; may be repeated. "
            f"KEY is {RELEVANT_HELP}",
        )
        parser.add_argument(
            "--points", type=int, default=EVERY_POINT, help="stop after about so many points (default: all)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the difference."""
        project = project_named(options["project"])
        changes = {name: options[name] for name in ("score", "alpha", "max_pairs")}
        wanted = {name: value for name, value in changes.items() if value is not None}
        wanted["relevant"] = dict(_part(text) for text in options["relevant"])
        try:
            parameters = rule_with(project_id=project.pk, changes=wanted)
            found = dry_run(project=project, parameters=parameters, points=options["points"])
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
        self._tell(found)

    def _tell(self, found: DryRun) -> None:
        write = self.stdout.write
        write(f"now    {rule_words(found.now)}: {_side(found.before)}")
        write(f"tried  {rule_words(found.tried)}: {_side(found.after)}")
        looked = f"{found.series} of {found.series_all} series, {found.points:,} points"
        write(f"{looked}; {found.assumed} answers are assumed, as no pairs were run there")
        self._list("suspected besides", found.gained)
        self._list("no longer suspected", found.lost)
        for title, incidents in (("not found any more", found.missed), ("cannot be told", found.unsure)):
            for incident in incidents:
                write(f"incident {incident.pk} at {incident.build.short} {title}")
        if found.unfound:
            write(f"{found.unfound} incidents are not found by the replay under either rule")

    def _list(self, title: str, rows: list[Told]) -> None:
        self.stdout.write(f"{title}: {len(rows)}")
        for row in rows[:_SHOWN]:
            self.stdout.write(f"  {told_words(row.series.label, row.doubt)}")
        if len(rows) > _SHOWN:
            self.stdout.write(f"  and {len(rows) - _SHOWN} more")


def _side(side: Side) -> str:
    return side_words(counts=side.counts, comparisons=side.comparisons, minutes=side.minutes)


def _part(text: str) -> tuple[str, float]:
    key, _, value = text.rpartition("=")  # a shape has such signs, too: b8,qps=50
    try:
        return key, float(value)
    except ValueError:
        raise CommandError(
            f"--relevant {text} is neither METRIC=PART nor CASE:METRIC=PART; write latency_p50=0.05 for 5 %, "
            "or 'resnet50/onnxruntime/*/*:latency_p50=0.05'"
        ) from None
