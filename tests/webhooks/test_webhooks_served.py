"""The intake in a real server process: deliveries at once, bodies without a length, a broker that is away."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.webhooks.signing import SECRET, signed

SHA = "{:040x}".format
pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Site:
    """A served site with one project, and its database file."""

    def __init__(self, url: str, database: Path) -> None:
        self.url, self.database = url, database

    def count(self, table: str) -> int:
        with sqlite3.connect(self.database) as connection:
            return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    def push(self, delivery: str, *shas: int, **more: Any) -> httpx.Response:
        commits = [{"id": SHA(sha), "message": "m"} for sha in shas]
        payload = {"ref": "refs/heads/main", "after": commits[-1]["id"], "commits": commits,
                   "repository": {"full_name": "acme/vision"}}  # fmt: skip
        body = json.dumps(payload).encode()
        headers = {
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": delivery,
            "X-Hub-Signature-256": signed(body),
        }
        return self.post(body, headers, **more)

    def post(self, body: Any, headers: dict[str, str], slug: str = "vision") -> httpx.Response:
        return httpx.post(f"{self.url}/webhooks/github/{slug}/", content=body, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "DJANGO_SETTINGS_MODULE": "perfsite.settings",
        "PERFSITE_DATA": str(folder),
        "PERFSITE_WEBHOOK_MAX_BYTES": "100000",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",  # nobody listens there
    }
    make = (
        "import django; django.setup()\n"
        "from perfsite.runs.models import Project\n"
        f"Project.objects.create(slug='vision', repo='https://x/acme/vision', webhook_secret={SECRET!r})"
    )
    for command in (["manage.py", "migrate", "-v0"], ["-c", make]):
        subprocess.run([sys.executable, *command], cwd=pytestconfig.rootpath, env=environment, check=True)
    serve = [
        str(Path(sys.executable).with_name("granian")), "--interface", "asginl", "--host", "127.0.0.1",
        "--port", str(port), "--workers", "1", "--no-ws", "perfsite.asgi:application",
    ]  # fmt: skip
    process = subprocess.Popen(serve, cwd=pytestconfig.rootpath, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        yield Site(url, folder / "perfsite.sqlite3")
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(url: str, process: subprocess.Popen) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended at its start"
        try:
            if httpx.get(f"{url}/healthz", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError("the server never answered")


def test_one_delivery_sent_sixteen_times_at_once_counts_once(site: Site):
    before = site.count("runs_build")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: site.push("storm", 1, 2, 3), range(16)))
    assert sorted(answer.json()["status"] for answer in answers) == ["accepted"] + ["replayed"] * 15
    assert {answer.status_code for answer in answers} == {200, 202}
    assert site.count("runs_build") == before + 3


def test_many_pushes_at_once_lose_nothing(site: Site):
    builds, deliveries = site.count("runs_build"), site.count("webhooks_delivery")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: site.push(f"many-{number}", 100 + number), range(64)))
    assert {answer.status_code for answer in answers} == {202}
    assert site.count("runs_build") == builds + 64
    assert site.count("webhooks_delivery") == deliveries + 64


def test_forged_pushes_at_once_are_all_counted(site: Site):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: site.post(b"{}", {"X-Hub-Signature-256": "sha256=0"}), range(48)))
    assert {answer.status_code for answer in answers} == {403}
    with sqlite3.connect(site.database) as connection:
        rows = connection.execute("SELECT reason, count FROM webhooks_refusalcount").fetchall()
    assert rows == [("signature", 48)]


def test_a_dead_broker_does_not_slow_the_answer(site: Site):
    site.push("warm", 50)
    started = time.monotonic()
    assert site.push("timed", 51).status_code == 202
    assert time.monotonic() - started < 1.0  # 0.2 s for the wake-up that nobody takes, and the answer


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [100_001, 5_000_000])
def test_a_large_body_is_answered_413(site: Site, chunked: bool, size: int):
    body = (b"x" * 1000 for _ in range(size // 1000 + 1)) if chunked else b"x" * size
    answer = site.post(body, {"X-Hub-Signature-256": "sha256=0"}, slug="unknown")
    assert answer.status_code == 413
    assert answer.json()["detail"] == "the body is larger than 100000 bytes"


def test_the_largest_body_is_read(site: Site):
    body = b'{"zen": "x"}'.ljust(100_000)
    headers = {"X-GitHub-Event": "ping", "X-GitHub-Delivery": "large", "X-Hub-Signature-256": signed(body)}
    assert site.post(body, headers).status_code == 200
