"""`manage.py token`: keys for machines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from perfsite.access.audit import audit_console
from perfsite.access.models import Token
from perfsite.access.rights import FORMER, PURPOSES
from perfsite.access.services import token_add, token_revoke
from perfsite.core.database import embedded_migrate
from perfsite.core.errors import PerfsiteError


class Command(BaseCommand):
    """Tokens from the command line."""

    help = "Tokens for machines: add prints the secret, once and alone; list; revoke."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the sub-commands."""
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="make a token")
        add.add_argument("name")
        add.add_argument(
            "--purpose",
            required=True,
            choices=[*PURPOSES, *FORMER],
            help="; ".join(f"{name}: {what}" for name, what in PURPOSES.items())
            + "; write: now called deliver",
        )
        add.add_argument("--project", metavar="SLUG", help="the only project it reaches; all when not given")
        add.add_argument(
            "--days", type=int, metavar="N", help="it expires after so many days; never when not given"
        )
        actions.add_parser("list", help="every token, with when it was used last")
        actions.add_parser("revoke", help="end a token at once").add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        embedded_migrate()
        actions = {"add": self._add, "list": self._list, "revoke": self._revoke}
        try:
            actions[options["action"]](options)
        except PerfsiteError as error:
            raise CommandError(str(error)) from None

    def _add(self, options: dict[str, Any]) -> None:
        days = options["days"]
        secret = token_add(
            name=options["name"],
            purpose=options["purpose"],
            project_id=_project_id(options["project"]),
            expires_at=None if days is None else timezone.now() + timedelta(days=days),
        )
        told = {
            "purpose": options["purpose"],
            "project": options["project"] or "",
            "days": days or "for ever",
        }
        audit_console(action="token-add", target=options["name"], **told)
        self.stdout.write(secret)

    def _list(self, options: dict[str, Any]) -> None:
        for token in Token.objects.select_related("project").order_by("name", "id"):
            reach = token.project.slug if token.project else "every project"
            used = f"used {token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never used"
            self.stdout.write(f"{token.name}\t{token.purpose}\t{reach}\t{used}\t{token.state}")

    def _revoke(self, options: dict[str, Any]) -> None:
        token_revoke(name=options["name"])
        audit_console(action="token-revoke", target=options["name"])
        self.stdout.write(f"revoked {options['name']}")


def _project_id(slug: str | None) -> int | None:
    if slug is None:
        return None
    projects = Token._meta.get_field("project").related_model._default_manager
    project = projects.filter(slug=slug).first()
    if project is None:
        raise PerfsiteError(f"there is no project {slug!r}; its name is the one in its pages' addresses")
    return project.pk
