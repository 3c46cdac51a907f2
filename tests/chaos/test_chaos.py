"""A short run of `python -m tests.chaos`: each fault once; by hand it runs for as long as one likes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]


def test_every_job_ends_once_whatever_breaks():
    command = [sys.executable, "-m", "tests.chaos", "--jobs", "12", "--workers", "2", "--seed", "7",
               "--limit", "200", "--json"]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["jobs"], told["ended"], told["doubled"]) == (12, 12, 0)
    assert told["reports"] == 12 - sum(told["failed"].values()) >= 10
    struck = {name for name, count in told["faults"].items() if count}
    assert struck >= {"worker_killed", "site_killed", "redis_killed", "messages_doubled", "child_hung"}
