"""`manage.py role`: people and what they may do."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.access.people import role_list, role_set
from perfsite.core.database import embedded_migrate
from perfsite.core.errors import PerfsiteError


class Command(BaseCommand):
    """Roles from the command line."""

    help = "Give a person a role in a project, or in all of them; list who has which."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the sub-commands."""
        actions = parser.add_subparsers(dest="action", required=True)
        give = actions.add_parser("set", help="give a role; the person is made when new")
        give.add_argument("username")
        give.add_argument("role", help="viewer, triager, maintainer, administrator, or none to take it away")
        give.add_argument("--project", default="", help="its slug; without it, every project")
        actions.add_parser("list", help="who has which role")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        embedded_migrate()
        if options["action"] == "list":
            self.stdout.write("\n".join(role_list()) or "nobody has a role yet")
            return
        try:
            said = role_set(username=options["username"], role=options["role"], project=options["project"])
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(said)
