"""`manage.py worker add`: a token for a GPU box, and the one command that joins it.

`manage.py worker broker`: the user at the broker that lets workers be woken and nothing else.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.access.audit import audit_console
from perfsite.access.services import token_add
from perfsite.core.broker_acl import USER, acl_apply, acl_line, worker_url
from perfsite.core.database import embedded_migrate
from perfsite.core.errors import PerfsiteError

PASSWORD = "PERFSITE_WORKER_REDIS_PASSWORD"  # noqa: S105 - the variable's name


class Command(BaseCommand):
    """Workers from the command line."""

    help = "Join a box: its token and the one command; the user that workers have at the broker."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the sub-commands."""
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="join a box")
        add.add_argument("name", help="the token's name, for example the box's")
        broker = actions.add_parser(
            "broker", help="print the ACL line of the workers' user at the broker; its password is "
            f"{PASSWORD}, or a new one that is shown once"
        )  # fmt: skip
        broker.add_argument("--apply", action="store_true", help="make the user at REDIS_URL as well")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked."""
        try:
            self._broker(apply=options["apply"]) if options["action"] == "broker" else self._add(
                options["name"]
            )
        except PerfsiteError as error:
            raise CommandError(str(error)) from None

    def _add(self, name: str) -> None:
        """Print it; the leading space keeps the secret out of most shells' history."""
        embedded_migrate()
        secret = token_add(name=name, purpose="worker")
        audit_console(action="worker-add", target=name)
        told = f"PERFSITE_SITE={settings.SITE_URL} PERFSITE_TOKEN={secret}"
        self.stdout.write(f" export {told}; python -m workers doctor && python -m workers")

    def _broker(self, *, apply: bool) -> None:
        given = os.environ.get(PASSWORD, "")
        secret = given or secrets.token_hex(24)
        self.stdout.write(acl_line(secret))
        if apply:
            embedded_migrate()
            kept = acl_apply(url=settings.REDIS_URL, secret=secret)
            audit_console(action="worker-broker", target=USER)
            word = (
                "kept in its ACL file"
                if kept
                else "until it restarts: it has no ACL file, put the line there"
            )
            self.stderr.write(f"the broker has the user now, {word}")
        if not given:  # one that was given is not repeated: this may be a log
            self.stderr.write(
                f"on the workers' boxes: REDIS_URL={worker_url(url=settings.REDIS_URL, secret=secret)}"
            )
