"""A database and a data folder of the benchmark's own, and the process that measures in them.

Settings are read when a process starts, so each database and size is measured in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from perfsite.bench.table import Row
from perfsite.core.errors import PerfsiteError

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"


@contextmanager
def place_made(url: str) -> Iterator[dict[str, str]]:
    """The environment of an empty site; `url` names a PostgreSQL server, or is empty for SQLite.

    Everything is removed at the end.
    """
    with tempfile.TemporaryDirectory(prefix="perfsite-bench-") as folder:
        environment = {
            **os.environ,
            "PERFSITE_DATA": folder,
            "PERFSITE_LOCKS": folder,
            "PERFSITE_LOG": "WARNING",
        }
        environment.pop("DATABASE_URL", None)
        # one address sends every webhook, one token every claim: what is measured is the service
        environment |= {"PERFSITE_API_PER_MINUTE": "10000000", "DJANGO_SETTINGS_MODULE": "perfsite.settings"}
        if not url:
            yield environment
            return
        with _database_made(url) as own:
            yield environment | {"DATABASE_URL": own}


@contextmanager
def _database_made(url: str) -> Iterator[str]:
    try:
        import psycopg  # noqa: PLC0415 - an extra of production
    except ImportError:
        raise PerfsiteError("PostgreSQL needs its driver: pip install 'perfsite[production]'") from None
    name = f"perfsite_bench_{uuid.uuid4().hex[:10]}"
    server = urlsplit(url)._replace(path="/postgres").geturl()
    try:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
    except psycopg.Error as error:
        raise PerfsiteError(f"no database of its own could be made: {error}") from None
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def rows_measured(environment: dict[str, str], *, points: int, seconds: float, only: list[str]) -> list[Row]:
    """What a process in this environment measures.

    Raises:
        PerfsiteError: it failed; the message ends with what it said.
    """
    command = [
        sys.executable,
        str(MANAGE),
        "bench",
        "--here",
        "--rows",
        str(points),
        "--seconds",
        str(seconds),
    ]
    command += [word for name in only for word in ("--only", name)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise PerfsiteError(f"the measuring process ended with status {done.returncode}; its words are above")
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])["rows"]]
