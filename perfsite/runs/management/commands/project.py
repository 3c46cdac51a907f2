"""`manage.py project add`: watch a repository."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.access.audit import audit_console
from perfsite.core.database import embedded_migrate
from perfsite.core.errors import PerfsiteError
from perfsite.runs.services import project_add


class Command(BaseCommand):
    """Projects from the command line."""

    help = "Watch a repository: prints the webhook's URL and secret."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the sub-commands."""
        add = parser.add_subparsers(dest="action", required=True).add_parser("add", help="watch a repository")
        add.add_argument("slug", help="its short name in URLs")
        add.add_argument("--repo", required=True, help="a URL or a path git can fetch from")
        add.add_argument("--secret", default="", help="the webhook's secret (default: a random one)")
        add.add_argument("--branch", default="main", help="the branch that is always watched")
        add.add_argument(
            "--public", action="store_true", dest="is_public", help="readable without a login or a token"
        )
        add.add_argument("--owner-email", default="", help="who hears of it when the author is unknown")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it and print where to point the forge's webhook."""
        embedded_migrate()
        names = ("slug", "repo", "secret", "branch", "owner_email", "is_public")
        wanted = {name: options[name] for name in names}
        try:
            project = project_add(**wanted)
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
        shown = {name: value for name, value in wanted.items() if name != "slug"}
        audit_console(action="project-add", target=project.slug, **shown)
        self.stdout.write(
            f"project  {project.slug}\n"
            f"webhook  {settings.SITE_URL}/webhooks/github/{project.slug}/\n"
            f"generic  {settings.SITE_URL}/webhooks/generic/{project.slug}/\n"
            f"secret   {project.webhook_secret}"
        )
