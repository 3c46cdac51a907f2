"""`manage.py login_link`: log in without a password, once, from this machine."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from perfsite.access.audit import audit_console
from perfsite.access.services import login_link_add
from perfsite.core.database import embedded_migrate


class Command(BaseCommand):
    """A one-time login link."""

    help = "Print a link that logs a person in once, from this machine, within 30 minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--user", default="admin")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        embedded_migrate()
        secret = login_link_add(username=options["user"])
        audit_console(action="login-link-add", target=options["user"])
        self.stdout.write(f"{settings.SITE_URL}/login/link/{secret}/")
