"""A database of one's own on the server that the tests run on, for processes that commit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql


@contextmanager
def spare_database(suffix: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database; "" where the tests run on SQLite, which needs none."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield ""
        return
    parts = urlsplit(url)
    name = sql.Identifier(f"{parts.path.strip('/')}_{suffix}_{os.getpid()}")
    server = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            yield urlunsplit(parts._replace(path=f"{parts.path}_{suffix}_{os.getpid()}"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
