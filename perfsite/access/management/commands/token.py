"""`manage.py token add`: a key for a machine."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.access.models import Token
from perfsite.access.services import token_add
from perfsite.core.database import embedded_migrate
from perfsite.core.errors import PerfsiteError


class Command(BaseCommand):
    """Tokens from the command line."""

    help = "Make a token for a machine: prints its secret once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the sub-commands."""
        add = parser.add_subparsers(dest="action", required=True).add_parser("add", help="make a token")
        add.add_argument("name")
        add.add_argument("--purpose", required=True, choices=Token.Purpose.values)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it and print the secret."""
        embedded_migrate()
        try:
            self.stdout.write(token_add(name=options["name"], purpose=options["purpose"]))
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
