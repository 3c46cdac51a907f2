"""`manage.py worker add`: a token for a GPU box, and the one command that joins it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.access.services import token_add
from perfsite.core.database import embedded_migrate
from perfsite.core.errors import PerfsiteError


class Command(BaseCommand):
    """Workers from the command line."""

    help = "Make a worker's token, shown once, and print the command that joins its box."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the sub-commands."""
        add = parser.add_subparsers(dest="action", required=True).add_parser("add", help="join a box")
        add.add_argument("name", help="the token's name, for example the box's")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it; the leading space keeps the secret out of most shells' history."""
        embedded_migrate()
        try:
            secret = token_add(name=options["name"], purpose="worker")
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
        told = f"PERFSITE_SITE={settings.SITE_URL} PERFSITE_TOKEN={secret}"
        self.stdout.write(f" export {told}; python -m workers doctor && python -m workers")
