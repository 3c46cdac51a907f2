"""`manage.py retain`: retention and scrubbing at once, and a project's terms."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.access.audit import audit_console
from perfsite.keeping.models import Term
from perfsite.keeping.retention import retention_apply
from perfsite.keeping.scrub import artifacts_scrub
from perfsite.runs.models import Project


class Command(BaseCommand):
    """Retention from the command line."""

    help = "Remove what is old enough and check stored files; with --project, set its terms instead."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--project", default="", help="its slug")
        parser.add_argument("--raw-days", type=int, help="raw samples and files; 0 keeps them for ever")
        parser.add_argument("--point-days", type=int, help="points; 0 keeps them for ever")
        parser.add_argument("--scrub", type=int, default=500, help="so many files are checked")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        if options["project"]:
            self._terms_set(options)
            return
        removed = retention_apply()
        broken = artifacts_scrub(most=options["scrub"])
        self.stdout.write(
            f"removed {removed.artifacts} artifacts, {removed.points} points, {removed.files} files; "
            f"{len(broken)} broken files"
        )

    def _terms_set(self, options: dict[str, Any]) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"there is no project {options['project']!r}")
        given = ("raw_days", "point_days")
        days = {name: options[name] or None for name in given if options[name] is not None}
        term, _ = Term.objects.update_or_create(project=project, defaults=days)
        audit_console(action="terms-set", target=project.slug, **days)
        kept = f"raw for {term.raw_days or 'ever'}, points for {term.point_days or 'ever'}"
        self.stdout.write(f"{project.slug}: {kept}")
