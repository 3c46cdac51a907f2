"""A site that really serves: its own Redis, and one web server for each application that is measured."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from django.conf import settings

from perfsite.embedded.broker import Broker
from perfsite.embedded.ports import port_free
from perfsite.embedded.processes import Service, Supervisor

SITE = "perfsite.asgi:application"
FLOOR = "perfsite.bench.floor:application"
_START_S = 90.0


@contextmanager
def served(*applications: str) -> Iterator[dict[str, str]]:
    """Where each application answers; all of them use one Redis, whose address is under `broker`."""
    with Supervisor(Path(settings.DATA) / "logs") as supervisor:
        broker = Broker(Path(settings.DATA) / "broker")
        supervisor.start(Service("broker", broker.command))
        supervisor.wait_ready("broker", broker.ready, _START_S)
        urls = {"broker": broker.url}
        for name in applications:
            urls[name] = _web_start(supervisor, name, broker.url)
        yield urls


def _web_start(supervisor: Supervisor, application: str, broker: str) -> str:
    port = port_free(0)
    url = f"http://127.0.0.1:{port}"
    command = [
        str(Path(sys.executable).with_name("granian")), "--interface", "asginl", "--host", "127.0.0.1",
        "--port", str(port), "--workers", "1", "--no-ws", application,
    ]  # fmt: skip
    supervisor.start(Service(application, command, {"REDIS_URL": broker, "PERFSITE_URL": url}))
    supervisor.wait_ready(application, lambda: _answers(url), _START_S)
    return url


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code < 500
    except httpx.HTTPError:
        return False
