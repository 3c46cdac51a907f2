"""Four processes screen and tell at the very same time, on a real database file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RACERS = 4


@pytest.fixture
def environment(tmp_path):
    kept = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    return kept | {
        "PERFSITE_DATA": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "perfsite.settings",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "PERFSITE_LOG": "ERROR",
    }


def start(environment, *words: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(environment, *words: str) -> str:
    process = start(environment, *words)
    answer, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return answer


def race(environment, folder: Path) -> None:
    (folder / "go").unlink(missing_ok=True)
    racers = [start(environment, "-m", "tests.regressions.racer", "screen") for _ in range(RACERS)]
    (folder / "go").touch()
    for racer in racers:
        _, errors = racer.communicate(timeout=60)
        assert racer.returncode == 0, errors


def test_nothing_is_doubled_when_four_do_the_same_at_once(environment, tmp_path):
    run(environment, "manage.py", "migrate", "-v0")
    run(environment, "-m", "tests.regressions.racer", "fill")
    race(environment, tmp_path)
    seen = json.loads(run(environment, "-m", "tests.regressions.racer", "show"))
    assert seen == {
        "unscreened": 0, "suspicions": 3, "open": 3, "comparisons": 1, "confirmations": 0,
        "counted": 1, "regressions": 1, "incidents": 1, "notifications": 0, "mails": 0,
    }  # fmt: skip
    run(environment, "-m", "tests.regressions.racer", "report")
    race(environment, tmp_path)
    seen = json.loads(run(environment, "-m", "tests.regressions.racer", "show"))
    assert seen == {
        "unscreened": 0, "suspicions": 3, "open": 0, "comparisons": 1, "confirmations": 3,
        "counted": 1, "regressions": 4, "incidents": 1, "notifications": 1, "mails": 1,
    }  # fmt: skip
