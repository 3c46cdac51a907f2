"""The embedded database is made when it is first needed."""

from __future__ import annotations

import os

from django.core.management import call_command


def embedded_migrate() -> None:
    """Bring the embedded SQLite up to date; a database of the operator's own is left to `migrate`."""
    if not os.environ.get("DATABASE_URL"):
        call_command("migrate", verbosity=0, interactive=False)
