"""`manage.py up`: the whole service on this machine."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from perfsite.access.services import login_link_add
from perfsite.core.errors import PerfsiteError
from perfsite.embedded.home import home_open
from perfsite.embedded.interrupt import StopRequestedError, stop_signals


class Command(BaseCommand):
    """Start the service, keep it running, stop it on Ctrl-C or SIGTERM."""

    help = "Start the whole service on this machine: database, broker, site, schedule and workers."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--port", type=int, default=8000, help="where the site answers (default 8000)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until asked to stop."""
        try:
            with stop_signals(), home_open(port=options["port"], say=self.stderr.write) as home:
                link = f"{home.url}/login/link/{login_link_add()}/"
                self.stdout.write(f"Perfsite is up: {home.url}\nLog in (once, from this machine): {link}")
                self.stdout.flush()
                while True:
                    home.supervisor.tend()
                    time.sleep(1)
        except StopRequestedError:
            self.stderr.write("stopped")
        except PerfsiteError as error:
            raise CommandError(str(error)) from None
