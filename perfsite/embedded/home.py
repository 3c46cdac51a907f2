"""The embedded home: database, broker, web server, schedule and workers, from one command."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import httpx
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from perfsite.access.services import token_renew
from perfsite.core.errors import PerfsiteError
from perfsite.embedded.broker import Broker
from perfsite.embedded.devices import gpu_uuids, site_cores
from perfsite.embedded.ports import port_free
from perfsite.embedded.processes import Service, Supervisor
from perfsite.runs.models import Worker

Say = Callable[[str], None]

_START_SECONDS = 90.0
_WORKER = "worker-"  # begins the name of a worker's service


@dataclass(frozen=True)
class Home:
    """A running home: where it answers, what keeps it running, and how many workers joined."""

    url: str
    supervisor: Supervisor
    workers: int

    def workers_restart(self, environment: dict[str, str]) -> None:
        """Start the workers again with these variables; returns when each has joined.

        Raises:
            PerfsiteError: one does not come back.
        """
        for service in self.supervisor.names():
            if service.startswith(_WORKER):
                since = timezone.now()
                self.supervisor.restart(service, environment)
                joined = partial(_joined, service.removeprefix(_WORKER), since)
                self.supervisor.wait_ready(service, joined, _START_SECONDS)


@contextmanager
def home_open(*, port: int, say: Say) -> Iterator[Home]:
    """Start everything, wait until each part answers, and stop everything at the end.

    Raises:
        PerfsiteError: a part does not start, or another home runs on the same data.
    """
    data: Path = settings.DATA
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    say(f"data in {data} (set PERFSITE_DATA for another folder)")
    with _data_locked(data):
        say("migrating the database")
        call_command("migrate", verbosity=0, interactive=False)
        with Supervisor(data / "logs") as supervisor:
            opening = _Opening(data, supervisor, say)
            opening.broker_start()
            url = opening.site_start(port)
            opening.schedule_start()
            workers = opening.workers_start(url)
            yield Home(url=url, supervisor=supervisor, workers=workers)
            say("stopping")


@contextmanager
def _data_locked(data: Path) -> Iterator[None]:
    with (data / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PerfsiteError(
                f"another perfsite runs on {data}; stop it, or set PERFSITE_DATA to another folder"
            ) from None
        yield


class _Opening:
    """The steps of starting a home, in order; each waits until its process answers."""

    def __init__(self, data: Path, supervisor: Supervisor, say: Say) -> None:
        self.data = data
        self.supervisor = supervisor
        self.say = say
        self.devices = gpu_uuids() or ["cpu"]
        self.cores = site_cores(measures_on_cpu=self.devices == ["cpu"])
        self.environment = {"PERFSITE_DATA": str(data)}

    def broker_start(self) -> None:
        """Redis: the one that REDIS_URL names, else our own."""
        if os.environ.get("REDIS_URL"):
            self.say("broker: the one REDIS_URL names")
            self.environment["REDIS_URL"] = os.environ["REDIS_URL"]
            return
        broker = Broker(self.data / "broker")
        self._start("broker", broker.command, broker.ready)
        self.environment["REDIS_URL"] = broker.url
        self.say(f"broker: {Path(broker.command[0]).name} on port {broker.port}")

    def site_start(self, port: int) -> str:
        """The web server; returns where it answers."""
        free = port_free(port)
        if free != port:
            self.say(f"port {port} is in use, taking {free}")
        url = f"http://127.0.0.1:{free}"
        self.environment["PERFSITE_URL"] = os.environ.get("PERFSITE_URL", url)
        # commands in another terminal print links, too
        (self.data / "site-url").write_text(self.environment["PERFSITE_URL"])
        command = [
            sys.executable, "-m", "granian", "--interface", "asginl",
            "--host", "127.0.0.1", "--port", str(free), "--workers", "1",
            "--no-ws", "--respawn-failed-workers", "perfsite.asgi:application",
        ]  # fmt: skip
        self._start("site", command, lambda: _healthy(url))
        self.say(f"site: {url}")
        return url

    def schedule_start(self) -> None:
        """The site's Celery worker with its beat."""
        log = self.supervisor.logs / "schedule.log"
        before = log.stat().st_size if log.exists() else 0
        command = [
            sys.executable, "-m", "celery", "--app", "perfsite.celery", "worker", "--beat",
            "--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle",
            "--schedule", str(self.data / "celerybeat-schedule"), "--loglevel", "INFO",
        ]  # fmt: skip
        self._start("schedule", command, lambda: b" ready." in log.read_bytes()[before:])
        self.say("schedule: the site's tasks run")

    def workers_start(self, url: str) -> int:
        """One benchmark worker per GPU, or one for the processor; returns how many joined.

        The site serves without them: one that another service's worker keeps from its device says
        so and is tried again.
        """
        token = token_renew(name="embedded-worker", purpose="worker")
        return sum(self._worker_start(url, token, device) for device in self.devices)

    def _worker_start(self, url: str, token: str, device: str) -> bool:
        name = f"local-{device[:12].lower()}"
        environment = {
            "PERFSITE_SITE": url,
            "PERFSITE_TOKEN": token,
            "PERFSITE_WORK": str(self.data / "work" / name),
        }
        since = timezone.now()
        command = [sys.executable, "-m", "workers", "--name", name, "--device", device]
        try:
            # it divides the processors itself: one for its own work, the others to measure on
            self._start(
                f"{_WORKER}{name}", command, partial(_joined, name, since), environment, cores=frozenset()
            )
        except PerfsiteError as error:
            self.say(f"no worker on {device} yet; it is tried again. {error}")
            return False
        self.say(f"worker {name}: {Worker.objects.get(name=name).device_name}")
        return True

    def _start(
        self,
        name: str,
        command: list[str],
        ready: Callable[[], bool],
        environment: dict[str, str] | None = None,
        cores: frozenset[int] | None = None,
    ) -> None:
        kept_to = self.cores if cores is None else cores
        self.supervisor.start(Service(name, command, {**self.environment, **(environment or {})}, kept_to))
        self.supervisor.wait_ready(name, ready, _START_SECONDS)


def _joined(name: str, since: datetime) -> bool:
    return Worker.objects.filter(name=name, last_seen__gte=since).exists()


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
