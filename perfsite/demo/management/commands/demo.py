"""`manage.py demo`: the main job, from signed pushes to regressions on charts, on this machine."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from perfsite.access.services import login_link_add
from perfsite.core.errors import PerfsiteError
from perfsite.demo.deliveries import push_deliver
from perfsite.demo.outcome import Row, is_right, moves_told, rows, searches_told, standing
from perfsite.demo.repository import Made, parts, repository_make
from perfsite.demo.story import MORE, STEPS
from perfsite.embedded.home import Home, home_open
from perfsite.embedded.interrupt import StopRequestedError, stop_signals
from perfsite.runs.models import Project
from perfsite.runs.services import project_add

_SLUG = "demo"
_LONGEST_SECONDS = 1800.0
_STOPPED = 130  # what a shell reports for a command ended by Ctrl-C: not done is not right
_COLOURS = {
    "regressed": "dark_orange3",
    "environment": "yellow",
    "improved": "green",
    "skipped": "dim",
    "quiet": "dim",
}


class Command(BaseCommand):
    """Run the demo and keep serving it."""

    help = "Make a repository with planted changes, push it to a real service here, and show what it finds."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--port", type=int, default=8000, help="where the site answers (default 8000)")
        parser.add_argument(
            "--exit",
            action="store_true",
            help="end when done; status 0 only if exactly the planted regressions have incidents",
        )

        parser.add_argument(
            "--long",
            action="store_true",
            help="also a push of three commits, one of them guilty, and another machine under the same code",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until done (`--exit`) or until asked to stop."""
        # into a file or a pipe a terminal's default of 80 columns would cut the table
        console = Console() if sys.stdout.isatty() else Console(width=140)
        try:
            with stop_signals(), home_open(port=options["port"], say=console.log) as home:
                right = self._demo(home, console, long=options["long"])
                if not options["exit"]:
                    self._serve(home, console)
        except StopRequestedError:
            console.print("stopped")
            sys.exit(_STOPPED if options["exit"] else 0)
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
        if not right:
            console.print("[red]the service did not find exactly what was planted[/red]")
            sys.exit(1)

    def _demo(self, home: Home, console: Console, *, long: bool) -> bool:
        if not home.workers:
            raise PerfsiteError("no worker joined, so nothing can be measured; the reason stands above")
        started = time.monotonic()
        repository = Path(settings.DATA) / "demo" / "pocket-models"
        made = repository_make(repository, (*STEPS, *MORE) if long else STEPS)
        project = Project.objects.filter(slug=_SLUG).first() or project_add(
            slug=_SLUG, name="Pocket models", repo=str(repository), owner_email="lead@example.org"
        )
        console.log(f"{len(made)} commits in {repository}; the project's page: {home.url}/projects/{_SLUG}/")
        for part in parts(made):
            if machine := dict(part[0][0].step.machine):
                settings_told = " ".join(f"{name}={value}" for name, value in machine.items())
                console.log(f"another machine: the workers start again with {settings_told}")
                home.workers_restart(machine)
            waits = [
                push_deliver(url=home.url, project=project, push=push, repository=repository) for push in part
            ]
            console.log(f"{len(part)} signed pushes accepted, the slowest in {max(waits) * 1000:.0f} ms")
            _watch(home, project, [one for push in part for one in push], console)
        table = rows(project=project, made=made)
        _table_print(table, console)
        for said in searches_told(project=project):
            console.print(f"Search for the guilty commit: {said}")
        for said in moves_told(table, made):
            console.print(said)
        console.print(f"from the first push to the last verdict: {time.monotonic() - started:.0f} s")
        return is_right(table, made)

    def _serve(self, home: Home, console: Console) -> None:
        _pages_print(home, console)
        console.print("Ctrl-C stops everything; the data stays.")
        while True:
            home.supervisor.tend()
            time.sleep(1)


def _watch(home: Home, project: Project, made: list[Made], console: Console) -> None:
    """Show how far it is until nothing is left to do.

    Raises:
        PerfsiteError: it takes far too long.
    """
    shas = [one.sha for one in made]
    deadline = time.monotonic() + _LONGEST_SECONDS
    columns = (
        TextColumn("measuring"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=None)
        while time.monotonic() < deadline:
            home.supervisor.tend()
            now = standing(project=project, shas=shas)
            progress.update(bar, completed=now.ended, total=now.jobs or None, description=now.waiting)
            if not now.waiting:
                return
            time.sleep(0.5)
    raise PerfsiteError(f"the demo was not done after {_LONGEST_SECONDS:.0f} s; it waited for: {now.waiting}")


def _table_print(table: list[Row], console: Console) -> None:
    shown = Table(title="What the service found", box=SIMPLE)
    for name in ("commit", "subject", "metric", "before", "after", "change", "verdict", ""):
        right = name in ("before", "after", "change")
        # where the terminal is narrow, only the subject is broken into lines
        shown.add_column(name, justify="right" if right else "left", no_wrap=name != "subject")
    for row in table:
        colour = _COLOURS.get(row.verdict, "red")
        mark = {True: "✓", False: "✗", None: ""}[row.right]
        shown.add_row(
            row.sha[:7], row.subject, row.metric, row.before, row.after, row.change,
            f"[{colour}]{row.verdict}[/{colour}]", mark,
        )  # fmt: skip
    console.print(shown)


def _pages_print(home: Home, console: Console) -> None:
    link = f"{home.url}/login/link/{login_link_add()}/?next=/projects/{_SLUG}/"
    console.print(f"Open (logs you in, once, from this machine): {link}", soft_wrap=True)
    for what, path in (
        ("the project", f"/projects/{_SLUG}/"),
        ("its incidents", f"/projects/{_SLUG}/incidents/"),
        ("the mails", "/outbox/"),
        ("the workers", "/workers/"),
    ):
        console.print(f"  {what:14} {home.url}{path}", soft_wrap=True)
