"""`manage.py restore FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from perfsite.access.audit import audit_console
from perfsite.core.errors import PerfsiteError
from perfsite.keeping.backup import backup_restore


class Command(BaseCommand):
    """Replace the database and stored files by a backup; stop the site first."""

    help = "Replace the database and stored files by a backup; stop the site first."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--force", action="store_true", help="also when this site has projects")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        try:
            manifest = backup_restore(source=options["file"].absolute(), force=options["force"])
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
        self._note(options)
        self.stdout.write(f"restored {len(manifest['sha256'])} files of {manifest['made_at']}")

    def _note(self, options: dict[str, Any]) -> None:
        """In the audit log that was restored, which may be of a release before there was one."""
        try:
            audit_console(action="backup-restore", target=options["file"].name, force=options["force"])
        except DatabaseError as error:
            self.stderr.write(f"the audit log does not tell of this, migrate the database: {error}")
