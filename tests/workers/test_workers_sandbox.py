"""Watched code under a real bubblewrap: what it can read, write and reach, beside the same code without."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from child_runs import Runs
from site_standin import PATIENCE_S, TOKEN, StandIn, wait_until
from watched_repository import Repository

from workers import sandbox
from workers.sandbox import SandboxError, sandbox_command, sandbox_try

ROOT = Path(__file__).resolve().parents[2]
needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed here")


@pytest.fixture
def listener() -> Iterator[int]:
    """A port on loopback that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def escape(tmp_path: Path, listener: int, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """Runs the code that tries; the worker's token is in its environment and in a file."""
    monkeypatch.setenv("PERFSITE_TOKEN", "s3cret-token")
    work, box = tmp_path / "work", tmp_path / "work" / "box"
    box.mkdir(parents=True)
    secret = work / "token"
    secret.write_text("s3cret-token")
    outside = [
        str(work / "written"),
        "/etc/perfsite-was-here",
        "/usr/perfsite-was-here",
        "/perfsite-was-here",
    ]

    def run(*, confined: bool, network: bool = False) -> dict:
        words = ()
        if confined:
            words = sandbox_command(writable=(box,), readable=(ROOT,), hidden=(work,), network=network)
        wanted = {"read": [str(secret)], "write": [*outside, "/tmp/mine"], "port": listener}
        with Runs(box, sandbox=words) as runs:
            ending = runs.run("try_to_escape", files={"wanted.json": json.dumps(wanted)})
        assert ending.reason == "exited", runs.log
        for path in (*outside, "/tmp/mine"):
            was_there = Path(path).exists()
            Path(path).unlink(missing_ok=True)
            assert was_there == (not confined and path in ending.last["wrote"])
        return ending.last | {"secret": ending.last["read"][str(secret)], "outside": outside}

    return run


@needs_bwrap
def test_confined_code_sees_no_secret_changes_nothing_and_reaches_nobody(escape):
    found = escape(confined=True)
    assert found["secret"] == "FileNotFoundError"
    assert "s3cret-token" not in found["environs"]
    assert found["wrote"] == ["/tmp/mine"]  # its own, gone with it
    assert not found["connected"]


@needs_bwrap
def test_the_network_may_be_left(escape):
    found = escape(confined=True, network=True)
    assert found["connected"]
    assert found["secret"] == "FileNotFoundError"


def test_the_same_code_without_a_sandbox_reads_and_writes(escape):
    """What the others compare with: without it they could not fail."""
    found = escape(confined=False)
    assert found["secret"] == "s3cret-token"
    assert found["outside"][0] in found["wrote"]
    assert found["connected"]


@needs_bwrap
def test_limits_and_stops_hold_inside(tmp_path):
    words = sandbox_command(writable=(tmp_path / "box",), readable=(ROOT,))
    with Runs(tmp_path / "box", sandbox=words) as runs:
        assert runs.run("eat_memory", resident_bytes=300 * 2**20).reason == "memory"
        assert runs.run("sleep_long", wall_clock_s=1.5).reason == "timeout"
        zygote = psutil.Process(runs.nursery.pid).children()[0]
    wait_until(lambda: not zygote.is_running())


@needs_bwrap
def test_a_real_job_is_measured_confined(site: StandIn, worker, repository: Repository):
    process = worker("--poll", "1", PERFSITE_SANDBOX="1")
    told = site.give(repository.order())
    wait_until(lambda: told.report or told.failure, 2 * PATIENCE_S)
    assert told.report, told.failure
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def test_a_machine_without_bubblewrap_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sandbox, "PROGRAM", "no-such-bwrap")
    with pytest.raises(SandboxError, match="apt-get install bubblewrap"):
        sandbox_command(writable=())
    assert "not installed" in sandbox_try()


def test_a_worker_that_should_confine_and_cannot_does_not_start(site: StandIn, worker, tmp_path):
    fake = tmp_path / "bin" / "bwrap"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho no user namespaces here >&2; exit 1\n")
    fake.chmod(0o755)
    process: subprocess.Popen[str] = worker(PERFSITE_SANDBOX="1", PATH=f"{fake.parent}:/usr/bin:/bin")
    assert process.wait(PATIENCE_S) == 3
    assert "no user namespaces here" in process.stderr.read()
    assert TOKEN not in process.stderr.read()
