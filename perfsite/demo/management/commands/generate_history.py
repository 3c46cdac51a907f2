"""`manage.py generate_history --series 2000 --builds 5000 --seed 1`: a year of numbers to look at."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from perfsite.core.database import embedded_migrate
from perfsite.core.errors import PerfsiteError
from perfsite.demo.history.generate import history_generate


class Command(BaseCommand):
    """Fills a project of its own with generated measurements; the same seed gives the same numbers."""

    help = (
        "Generate a project with a long history: noise, changes, incidents, upgrades; for trying the pages."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The size, the seed and the name."""
        parser.add_argument("--series", type=int, default=200)
        parser.add_argument("--builds", type=int, default=500, help="measured builds; some more are skipped")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--project", default="history", help="slug of the project to make")
        parser.add_argument("--samples", type=int, default=10, help="newest builds that keep raw samples")
        parser.add_argument("--until", help="moment of the newest build, ISO 8601; now when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        """Generate, then say what there is."""
        embedded_migrate()
        until = _moment(options["until"])
        started = time.perf_counter()
        try:
            made = history_generate(
                slug=options["project"],
                series=options["series"],
                builds=options["builds"],
                seed=options["seed"],
                until=until,
                samples=options["samples"],
            )
        except PerfsiteError as error:
            raise CommandError(f"{error}.") from None
        took = time.perf_counter() - started
        self.stdout.write(
            f"{made.points:,} measurements of {made.series:,} series over {made.builds:,} builds, "
            f"{made.verdicts:,} verdicts and {made.incidents} incidents in {took:.0f} s: "
            f"/projects/{options['project']}/"
        )


def _moment(text: str | None) -> datetime:
    if text is None:
        return timezone.now().replace(minute=0, second=0, microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--until is {text!r}, not a moment such as 2026-11-28T12:00+00:00.") from None
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
