"""A short run of `python -m tests.fuzz`, and that it would find something."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.fuzz.__main__ import fed
from tests.fuzz.targets import Target

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_bad_input_is_refused_with_a_sentence_and_never_breaks_anything():
    command = [sys.executable, "-m", "tests.fuzz", "--inputs", "600", "--seed", "3", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["inputs"] >= 500  # hypothesis may run out of different small ones
    assert {row["target"] for row in told["targets"]} >= {
        "webhook gitlab",
        "perfsite.toml",
        "POST worker/claim",
    }
    pushed = next(row for row in told["targets"] if row["target"] == "webhook github")
    assert {"refused", "Push"} <= set(pushed["ends"])  # both of what it is for


@pytest.mark.slow
@pytest.mark.parametrize("target", ["webhook github", "perfsite.toml", "report"])
def test_bytes_guided_by_the_code_they_reach_break_nothing(target, tmp_path):
    pytest.importorskip("atheris", reason="atheris is made for Linux on x86-64 alone")
    command = [sys.executable, "-m", "tests.fuzz.guided", target, "--runs", "2000", "--seed", "3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Done 2000 runs" in done.stderr


def test_a_reader_that_breaks_is_a_finding_with_its_input():
    def feed(number: int) -> str:
        return str(1 // (number - 77))

    found = fed(Target(st.integers(0, 100), feed), count=500, seed=1)
    assert "ZeroDivisionError" in found["finding"]
    assert "77" in found["finding"]
