"""`manage.py bench`: what the service does in a second, beside what the database alone would do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from perfsite.bench.places import place_made, rows_measured
from perfsite.bench.rows.claims import claims_measure
from perfsite.bench.rows.heartbeats import heartbeats_measure
from perfsite.bench.rows.idle import idle_measure
from perfsite.bench.rows.reports import reports_measure
from perfsite.bench.rows.series import series_measure
from perfsite.bench.rows.sweep import sweep_measure
from perfsite.bench.rows.webhooks import webhooks_measure
from perfsite.bench.table import Row, rows_growth, table_text
from perfsite.bench.world import history_fill
from perfsite.core.database import embedded_migrate
from perfsite.core.errors import PerfsiteError

ROWS: dict[str, Callable[[float], list[Row]]] = {
    "webhooks": webhooks_measure,
    "reports": reports_measure,
    "claims": claims_measure,
    "heartbeats": heartbeats_measure,
    "series": series_measure,
    "idle": idle_measure,
    "sweep": sweep_measure,
}
"""Each figure's measuring, in the order of the table."""
_LEAST_ROWS = 1000


class Command(BaseCommand):
    """Measures in databases and folders of its own, which are removed; the site's own are not touched."""

    help = "Measure webhooks, reports, claims, series, the worker and the sweep, each beside a floor."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add(
            "--rows",
            type=int,
            default=1_000_000,
            help="measurements in the database; a tenth is measured too",
        )
        add("--seconds", type=float, default=9.0, help="how long each figure is measured")
        add("--database", choices=("sqlite", "postgresql", "both"), default="both")
        add("--postgresql", default=os.environ.get("DATABASE_URL", ""), help="a server's URL [DATABASE_URL]")
        add("--only", action="append", choices=ROWS, default=[], help="a figure; may be given again")
        add("--no-growth", action="store_true", help="not at a tenth of the rows as well")
        add("--json", action="store_true")
        add(
            "--here",
            action="store_true",
            help="in this environment: what the measuring process is started with",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure and print; a missed aim is told, not an error."""
        alone = options["no_growth"] or options["here"]
        least = _LEAST_ROWS if alone else 10 * _LEAST_ROWS  # a tenth of the rows is a history too
        if options["rows"] < least:
            mend = "" if alone else ", or --no-growth"
            raise CommandError(f"--rows {options['rows']} is no history; give at least {least}{mend}.")
        try:
            rows = self._here(options) if options["here"] else self._everywhere(options)
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
        told = {"rows": [row.told() for row in rows]}
        as_json = options["json"] or options["here"]
        self.stdout.write(json.dumps(told) if as_json else table_text(rows))

    def _everywhere(self, options: dict[str, Any]) -> list[Row]:
        """Each database at each size, in processes of their own."""
        servers = {"sqlite": "", "postgresql": options["postgresql"]}
        if options["database"] != "both":
            servers = {options["database"]: servers[options["database"]]}
        if not servers.get("postgresql", "-"):
            raise PerfsiteError("PostgreSQL is measured too: give --postgresql URL, or --database sqlite")
        rows: list[Row] = []
        for name, url in servers.items():
            sizes = [options["rows"]] if options["no_growth"] else [options["rows"] // 10, options["rows"]]
            found = [self._measured(name, url, size, options) for size in sizes]
            rows += [*(row for one in found for row in one)]
            rows += rows_growth(found[0], found[-1]) if len(found) > 1 else []
        return rows

    def _measured(self, name: str, url: str, size: int, options: dict[str, Any]) -> list[Row]:
        self.stderr.write(f"{name}, {size:,} measurements ...")
        with place_made(url) as environment:
            return rows_measured(environment, points=size, seconds=options["seconds"], only=options["only"])

    def _here(self, options: dict[str, Any]) -> list[Row]:
        """In the database that the environment names, which must be empty."""
        if connection.vendor == "sqlite":
            embedded_migrate()
        else:
            from django.core.management import call_command  # noqa: PLC0415

            call_command("migrate", verbosity=0, interactive=False)
        history_fill(options["rows"])
        wanted = options["only"] or list(ROWS)
        measured = [row for name in ROWS if name in wanted for row in ROWS[name](options["seconds"])]
        return [replace(row, database=connection.vendor, points=options["rows"]) for row in measured]
