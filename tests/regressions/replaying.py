"""Starting `manage.py replay` as a process, and series to feed it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def replay_home(folder: Path) -> Iterator:
    """Start the command with an empty home and nobody to connect to; the home stays empty."""
    home = folder / "home"
    home.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }

    def start(*options: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "replay", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=environment, cwd=folder,
        )  # fmt: skip

    yield start
    assert list(home.iterdir()) == []


def told(process: subprocess.Popen, text: str) -> tuple[list[dict], str, int]:
    out, err = process.communicate(text, timeout=120)
    return [json.loads(line) for line in out.splitlines()], err, process.returncode


def line(name: str, values, **others) -> str:
    return json.dumps({"name": name, "values": list(values), **others}) + "\n"


def step(points: int = 100, at: int = 60, size: float = 0.1, seed: int = 0) -> list[float]:
    noise = np.exp(0.01 * np.random.default_rng(seed).normal(size=points))
    return (5.0 * (1 + size * (np.arange(points) >= at)) * noise).tolist()
