"""`manage.py backfill`: measure builds after the event."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.access.audit import audit_console
from perfsite.core.database import embedded_migrate
from perfsite.core.errors import PerfsiteError
from perfsite.runs.backfill import Wish, backfill_order, builds_placed
from perfsite.runs.models import Build, Project


class Command(BaseCommand):
    """Backfill from the command line."""

    help = "Queue measure jobs for builds that were skipped, or never measured on a device class."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which builds, and what of them."""
        parser.add_argument("project", help="the project's slug")
        parser.add_argument("--first", type=int, help="the place on the branch of the first build")
        parser.add_argument("--last", type=int, help="that of the last one; --first alone measures one build")
        parser.add_argument(
            "--sha", action="append", default=[], help="a commit, or how it begins; repeatable"
        )
        parser.add_argument("--branch", default="", help="default: the project's")
        parser.add_argument("--device-class", default="", help="default: what perfsite.toml says")
        parser.add_argument("--model", default="", help="default: what the commit's changes concern")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it and print what was queued and what could not be."""
        embedded_migrate()
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)) or "none"
            raise CommandError(f"there is no project {options['project']!r}; known: {known}")
        wish = Wish(device_class=options["device_class"], model=options["model"])
        try:
            done = backfill_order(project=project, builds=_builds(project, options), wish=wish)
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
        audit_console(action="backfill", target=project.slug, jobs=len(done.jobs), refused=len(done.refused))
        for job in done.jobs:
            self.stdout.write(
                f"queued   {job.run.build.short} {job.model}/{job.precision} on {job.device_class}"
            )
        for build, why in done.refused:
            self.stdout.write(f"refused  {build.short}: {why}")
        self.stdout.write(f"{len(done.jobs)} jobs queued")


def _builds(project: Project, options: dict[str, Any]) -> list[Build]:
    first, branch = options["first"], options["branch"] or project.branch
    if first is not None:
        last = first if options["last"] is None else options["last"]
        found = builds_placed(project=project, first=first, last=last, branch=branch)
    else:
        line = Build.objects.filter(project=project, branch=branch).order_by("ordinal")
        found = [build for sha in options["sha"] for build in line.filter(sha__startswith=sha)]
    if not found:
        raise PerfsiteError(f"no build of branch {branch} is meant; give --first and --last, or --sha")
    return found
