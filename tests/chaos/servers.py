"""The servers of a run: PostgreSQL or SQLite, Redis, the site and its schedule, on ports of their own."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import redis
from django.core.management import call_command

from perfsite.embedded.broker import server_find
from tests.chaos.disks import Disk
from tests.chaos.processes import Process

START_S = 90.0


@dataclass(frozen=True)
class Terms:
    """Seconds: of a lease, between heartbeats, between sweeps."""

    lease: int
    heartbeat: int
    sweep: int

    @property
    def held_most(self) -> int:
        """How long the dead may keep a job, from their last heartbeat on: the lease, a sweep's period until
        one comes that finds it run out, and another in which that one does its work."""
        return self.lease + 2 * self.sweep


def postgres_binary(name: str) -> str | None:
    """Where a program of PostgreSQL is, None when it is not installed."""
    found = shutil.which(name)
    if found:
        return found
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(places[-1]) if places else None


def port_free(host: str) -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


class Postgres:
    """A cluster of our own in `folder`; as root it runs as the user postgres, because it must not as root."""

    def __init__(self, folder: Path) -> None:
        self._as = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        self._data = folder / "postgres"
        self._data.mkdir()
        if self._as:
            shutil.chown(self._data, "postgres")
        self.port = port_free("127.0.0.1")
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-N")
        with (self._data / "postgresql.conf").open("a") as config:
            config.write(
                f"port={self.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\n"
                "fsync=off\nmax_connections=200\nlogging_collector=off\n"
            )
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._data / "log"), "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; `immediate` is a crash of all its processes, mended by its log at the next start."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def _run(self, name: str, *arguments: str) -> None:
        binary = postgres_binary(name)
        assert binary, f"{name} is not installed"
        done = subprocess.run([*self._as, binary, *arguments], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, cwd="/", check=False)  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr.strip()}")


class Servers:
    """Everything but the workers; `host` is where workers reach it."""

    def __init__(self, folder: Path, *, host: str, terms: Terms, database: str) -> None:
        self.folder = folder
        self.host = host
        self.data = folder / "data"
        self.disk = Disk(self.data / "artifacts", 512)
        self.postgres = Postgres(folder) if database == "postgresql" else None
        password = secrets.token_hex(12)
        redis_port, site_port = port_free(host), port_free(host)
        self.broker = f"redis://:{password}@{host}:{redis_port}/0"
        self.url = f"http://{host}:{site_port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "PERFSITE_DATA": str(self.data),
            "PERFSITE_URL": self.url,
            "PERFSITE_HOSTS": host,
            "REDIS_URL": self.broker,
            "PERFSITE_LEASE_SECONDS": str(terms.lease),
            "PERFSITE_HEARTBEAT_SECONDS": str(terms.heartbeat),
            "PERFSITE_SWEEP_SECONDS": str(terms.sweep),
            "DJANGO_SETTINGS_MODULE": "perfsite.settings",
            **({"DATABASE_URL": self.postgres.url} if self.postgres else {}),
        }
        (folder / "redis").mkdir()
        self.redis = self._process(
            "redis", server_find(), "--bind", host, "--port", str(redis_port), "--requirepass", password,
            "--dir", str(folder / "redis"), "--appendonly", "yes", "--save", "",
        )  # fmt: skip
        binaries = Path(sys.executable).parent
        self.site = self._process(
            "site", str(binaries / "granian"), "--interface", "asginl", "--host", host, "--port",
            str(site_port), "--workers", "1", "--no-ws", "perfsite.asgi:application",
        )  # fmt: skip
        self.schedule = self._process(
            "schedule", sys.executable, "-m", "celery", "--app", "perfsite.celery", "worker", "--beat",
            "--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle",
            "--schedule", str(folder / "beat"), "--loglevel", "WARNING",
        )  # fmt: skip

    def _process(self, name: str, *command: str) -> Process:
        return Process(command, self.environment, self.folder / f"{name}.log")

    def start(self) -> None:
        """Start all of it; returns when the site answers.  Django must be set up on this environment."""
        self.redis.start()
        wait_for(self.redis_answers, "Redis")
        self.manage("migrate", "--verbosity=0")
        self.site.start()
        self.schedule.start()
        wait_for(self.site_answers, "the site")

    def manage(self, *arguments: str) -> str:
        """What `manage.py ...` prints."""
        said = io.StringIO()
        call_command(*arguments, stdout=said)  # in this process: an interpreter of its own takes seconds
        return said.getvalue()

    def site_answers(self) -> bool:
        """Whether the site serves."""
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def redis_client(self) -> redis.Redis:
        """A client of this run's own Redis."""
        return redis.Redis.from_url(self.broker, socket_connect_timeout=1, socket_timeout=5)

    def redis_answers(self) -> bool:
        """Whether Redis does."""
        try:
            return bool(self.redis_client().ping())
        except redis.RedisError:
            return False

    def tend(self) -> None:
        """Start again what died, as any supervisor does."""
        for process in (self.redis, self.site, self.schedule):
            process.start()

    def close(self) -> None:
        """End all of it."""
        for process in (self.schedule, self.site, self.redis):
            process.kill()
        if self.postgres:
            self.postgres.stop()
        self.disk.close()


def wait_for(ready: Callable[[], bool], what: str, seconds: float = START_S) -> None:
    """Poll until `ready()`.

    Raises:
        TimeoutError: it was not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} was not ready within {seconds:.0f} s")
        time.sleep(0.1)
