"""`manage.py bench` for real, small: every figure on SQLite, and on PostgreSQL where there is one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def bench(*words: str) -> dict:
    command = [sys.executable, "manage.py", "bench", "--seconds", "0.6", "--json", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_figure_but_the_worker_is_measured_at_two_sizes():
    words = ["--rows", "10000", "--database", "sqlite"]
    for name in ("webhooks", "reports", "claims", "heartbeats", "series"):
        words += ["--only", name]
    rows = bench(*words)["rows"]
    for row in rows:
        assert {"what", "value", "unit", "floor", "ratio", "aim", "ok"} <= set(row)
        assert row["value"] > 0
        assert isinstance(row["ok"], bool)
    measured = [row for row in rows if not row["what"].startswith("growth")]
    assert {row["points"] for row in measured} == {1000, 10_000}
    small, large = ({row["what"] for row in measured if row["points"] == size} for size in (1000, 10_000))
    # a history of a thousand has no series as long as the figure asks, and its name says so
    assert len(rows) - len(measured) == len(small & large) >= len(measured) / 2 - 1
    with_floor = [row for row in measured if row["floor"]]
    assert {row["what"].split()[0] for row in with_floor} == {
        "webhooks",
        "reports",
        "claims",
        "heartbeats",
        "series",
    }


@pytest.mark.skipif(not os.environ.get("DATABASE_URL"), reason="no PostgreSQL: DATABASE_URL is not set")
def test_on_postgresql_claims_are_counted_too():
    (row,) = bench("--rows", "1000", "--database", "postgresql", "--no-growth", "--only", "claims")["rows"]
    assert (row["database"], row["unit"]) == ("postgresql", "1/s")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--rows", "2000"], "give at least 10000, or --no-growth"),
        (["--rows", "999", "--no-growth"], "give at least 1000."),
    ],
)
def test_too_few_rows_are_told_before_anything_is_measured(words, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("bench", *words)


def test_a_server_that_is_not_there_is_a_sentence():
    command = [sys.executable, "manage.py", "bench", "--database", "postgresql"]
    url = "postgresql://nobody@127.0.0.1:1/none"
    done = subprocess.run(
        [*command, "--postgresql", url], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no database of its own could be made" in done.stderr
