"""`manage.py backup FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.core.errors import PerfsiteError
from perfsite.keeping.backup import backup_write


class Command(BaseCommand):
    """Write the database and all stored files to one tar file, while the site runs."""

    help = "Write the database and all stored files to one tar file, while the site runs."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        try:
            manifest = backup_write(target=options["file"].absolute())
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{options['file']}: kept {len(manifest['sha256'])} files of {manifest['made_at']}")
