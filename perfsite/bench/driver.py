"""The floor: a connection of the plain driver to the same database, committing each statement by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def driver_open() -> Iterator[Any]:
    """A new connection of the plain driver, set up as the site's; `BEGIN` and `COMMIT` are the caller's."""
    plain: Any
    if connection.vendor == "sqlite":
        plain = sqlite3.connect(connection.settings_dict["NAME"], timeout=20, isolation_level=None)
        plain.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;")
    else:
        import psycopg  # noqa: PLC0415 - an extra of production

        wanted = {key: value for key, value in connection.get_connection_params().items() if key in _PLAIN}
        plain = psycopg.connect(**wanted, autocommit=True)
    try:
        yield plain
    finally:
        plain.close()


_PLAIN = ("dbname", "user", "password", "host", "port")


def marked(sql: str) -> str:
    """SQL written with `?`, in the driver's own marks."""
    return sql if connection.vendor == "sqlite" else sql.replace("?", "%s")


def begin() -> str:
    """How a writing transaction starts."""
    return "BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN"
