"""The real service with real processes: what `manage.py up` starts, with short terms."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import redis

from perfsite.webhooks.signature import signature_make

ROOT = Path(__file__).resolve().parents[2]

MODELS = '''
import time
import torch


class Slow(torch.nn.Module):
    """Sleeps so that a test can hit it while it runs."""

    def forward(self, x):
        time.sleep(SECONDS)
        return x * 2


SECONDS = 0.01


def build():
    return torch.nn.Linear(8, 8).eval(), (torch.rand(1, 8),)


def slow():
    return Slow(), (torch.rand(1, 8),)


def broken():
    raise RuntimeError("these weights are not here")
'''

CONFIG = """
version = 1
[defaults]
runners = ["torch"]
suites = ["latency"]
duration = 0.2
[models.quick]
entry = "models.py:build"
[models.slow]
entry = "models.py:slow"
duration = 3.0
"""


class Service:
    """A running `manage.py up` with its own data folder, and a watched repository."""

    def __init__(self, folder: Path, *, short_terms: bool = True) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "REDIS_URL"},
            "PERFSITE_DATA": str(self.data),
            "PERFSITE_LOCKS": str(folder / "locks"),  # another service on this machine is none of ours
            "DJANGO_SETTINGS_MODULE": "perfsite.settings",
        }
        if short_terms:  # so that a test need not wait a minute for a dead worker's lease
            self.environment |= {
                "PERFSITE_LEASE_SECONDS": "6",
                "PERFSITE_HEARTBEAT_SECONDS": "1",
                "PERFSITE_SWEEP_SECONDS": "1",
            }
        self.database = ""
        if os.environ.get("DATABASE_URL"):
            self._database_make(os.environ["DATABASE_URL"])
        self.process: subprocess.Popen | None = None
        self.url = ""
        self.token = ""

    def _database_make(self, url: str) -> None:
        """A PostgreSQL database of this service's own, beside the one the tests were given."""
        self.database = f"perfsite_e2e_{uuid.uuid4().hex[:12]}"
        import psycopg  # the embedded home has none

        self._server = urlsplit(url)._replace(path="/postgres").geturl()
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{self.database}"')
        self.environment["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{self.database}").geturl()

    def manage(self, *arguments: str) -> str:
        answer = self.run(*arguments)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def up(self, port: int = 8700) -> None:
        output = (self.folder / "up.out").open("ab+")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port)],
            cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        start = output.seek(0, os.SEEK_END)

        def said() -> str:
            output.seek(start)
            return output.read().decode()

        wait_for(lambda: "Perfsite is up" in said() or self.process.poll() is not None, 90, said)
        found = re.search(r"Perfsite is up: (\S+)", said())
        assert found, said()
        self.url = found[1]

    def down(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def close(self) -> list[str]:
        """Stop it; returns the command lines of what it left behind, and ends that too."""
        if self.process is not None and self.process.poll() is None:
            self.down()
        left = self.processes()
        told = [" ".join(process.cmdline()) for process in left]
        if self.broker_answers():
            told.append("the broker")
        for process in left:
            process.kill()
        if self.database:
            import psycopg

            with psycopg.connect(self._server, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{self.database}" WITH (FORCE)')
        return told

    @property
    def broker_url(self) -> str:
        return json.loads((self.data / "broker" / "running.json").read_text())["url"]

    def broker_answers(self) -> bool:
        try:
            return redis.Redis.from_url(self.broker_url, socket_connect_timeout=1).ping()
        except (redis.RedisError, FileNotFoundError):
            return False

    def broker_process(self) -> psutil.Process:
        """Redis writes its title over its environment, so it is found by its place in the tree."""
        children = psutil.Process(self.process.pid).children()
        return next(one for one in children if one.name() in ("redis-server", "valkey-server"))

    def processes(self) -> list[psutil.Process]:
        """Every process that works on this data folder, wherever it hangs in the tree."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("PERFSITE_DATA") == str(self.data) and process.pid != os.getpid():
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def part(self, words: str) -> psutil.Process:
        """The process of ours whose command line contains `words`, the oldest one."""
        found = [one for one in self.processes() if words in " ".join(one.cmdline())]
        assert found, [one.cmdline() for one in self.processes()]
        return min(found, key=lambda one: one.create_time())

    def get(self, path: str) -> object:
        answer = httpx.get(
            f"{self.url}/api/v1{path}", headers={"Authorization": f"Bearer {self.token}"}, timeout=30
        )
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    def jobs(self, slug: str) -> list[dict]:
        builds = self.get(f"/projects/{slug}/builds?limit=500")["items"]
        runs = [run for build in builds for run in self.get(f"/builds/{build['id']}/runs")["items"]]
        return [{**job, "run": run["id"]} for run in runs for job in run["jobs"]]


def wait_for(ready, seconds: float, told=lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"not within {seconds} s: {told()}"
        time.sleep(0.1)


class Watched:
    """A repository the service watches, and its forge."""

    def __init__(self, service: Service, slug: str) -> None:
        self.service = service
        self.slug = slug
        self.path = service.folder / slug
        self.path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "ada@example.org")
        self.git("config", "user.name", "Ada")
        told = service.manage("project", "add", slug, "--repo", str(self.path))
        self.secret = re.search(r"secret\s+(\S+)", told)[1]

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, subject: str, **files: str) -> str:
        for name, text in files.items():
            (self.path / name.replace("_DOT_", ".")).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject, "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def push(self, *shas: str, delivery: str = "") -> httpx.Response:
        """Deliver a push of these commits, signed."""
        return httpx.post(**self.push_request(*shas, delivery=delivery), timeout=30)

    def push_request(self, *shas: str, delivery: str = "") -> dict:
        """Where and what that delivery is: url, content, headers."""
        author = {"name": "Ada", "email": "ada@example.org"}
        commits = [{"id": sha, "message": "m", "author": author} for sha in shas]
        payload = {
            "ref": "refs/heads/main", "before": "0" * 40, "after": shas[-1], "deleted": False,
            "repository": {"full_name": f"{self.path.parent.name}/{self.path.name}"},
            "head_commit": commits[-1], "commits": commits,
        }  # fmt: skip
        body = json.dumps(payload).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
            "X-Hub-Signature-256": signature_make(secret=self.secret, body=body),
        }
        return {
            "url": f"{self.service.url}/webhooks/github/{self.slug}/",
            "content": body,
            "headers": headers,
        }
