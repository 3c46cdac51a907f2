"""`manage.py schedule`: what a project measures by the clock."""

from __future__ import annotations

from datetime import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from perfsite.access.audit import audit_console
from perfsite.core.database import embedded_migrate
from perfsite.core.errors import PerfsiteError
from perfsite.runs.calendar import days_read, days_words
from perfsite.runs.models import Project, Schedule
from perfsite.runs.schedules import Timing, schedule_add, schedule_remove


class Command(BaseCommand):
    """Schedules from the command line."""

    help = "Measure by the clock: every model, the soaks, or the canary alone, within minutes a day."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the sub-commands."""
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="add a schedule")
        for sub, words in ((add, "its name"), (actions.add_parser("remove", help="remove one"), "its name")):
            sub.add_argument("project", help="the project's slug")
            sub.add_argument("name", help=words)
        add.add_argument("--what", required=True, choices=Schedule.What.values)
        add.add_argument("--at", required=True, type=time.fromisoformat, help="local time, for example 02:00")
        add.add_argument("--days", default="daily", help="daily, or some of mon,tue,wed,thu,fri,sat,sun")
        add.add_argument("--zone", default="UTC", help="time zone, for example Europe/Berlin")
        add.add_argument("--minutes", type=float, default=120.0, help="device minutes it may take a day")
        add.add_argument("--device-class", default="", help="default: what perfsite.toml says")
        actions.add_parser("list", help="list them").add_argument("project", help="the project's slug")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and print what there is now."""
        embedded_migrate()
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"there is no project {options['project']!r}")
        try:
            _ACTIONS[options["action"]](project, options)
        except (PerfsiteError, ValueError) as error:
            raise CommandError(str(error)) from None
        for row in project.schedules.order_by("due_at"):
            when = f"{days_words(row.days)} at {row.at:%H:%M} {row.time_zone}"
            state = f"due {row.due_at:%Y-%m-%d %H:%M} UTC" if row.is_active else "paused"
            self.stdout.write(f"{row.name}: {row.what}, {when}, {row.minutes_per_day:g} min a day, {state}")


def _add(project: Project, options: dict[str, Any]) -> None:
    timing = Timing(
        name=options["name"],
        what=options["what"],
        at=options["at"],
        days=days_read(options["days"]),
        time_zone=options["zone"],
        minutes_per_day=options["minutes"],
        device_class=options["device_class"],
    )
    schedule_add(project=project, timing=timing, now=timezone.now())
    when = {"what": timing.what, "at": timing.at, "minutes": timing.minutes_per_day}
    audit_console(action="schedule-add", target=f"{project.slug} {timing.name}", **when)


def _remove(project: Project, options: dict[str, Any]) -> None:
    row = project.schedules.filter(name=options["name"]).first()
    if row is None:
        raise PerfsiteError(f"{project.slug} has no schedule {options['name']!r}")
    schedule_remove(schedule=row)
    audit_console(action="schedule-remove", target=f"{project.slug} {options['name']}")


_ACTIONS = {"add": _add, "remove": _remove, "list": lambda *_: None}
