"""A real git repository to watch, with models that work, hang, break and crash."""

from __future__ import annotations

import subprocess
from pathlib import Path

from site_standin import token_new

from benchmarks.cases import Case, ModelSource
from workers.messages import BuildSource, Order

NET = """
import torch
from torch import nn

def build():
    width = 16
    layers = [nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 4)]
    return nn.Sequential(*layers), (torch.zeros(1, 3, 24, 24),)

def hang():
    import subprocess, sys, time
    code = "import os, time; os.setsid(); os.fork() and os._exit(0); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", code]).wait()
    print("hanging", flush=True)
    time.sleep(600)

def broken():
    print("before it breaks")
    raise RuntimeError("no such layer: conv_17")

def crash():
    import ctypes
    ctypes.string_at(0)

def leave():
    raise SystemExit("the watched code wants out")
"""


class Repository:
    """A real git repository with one file, `net.py`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("net.py", NET)

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments]
        return subprocess.run(
            command, cwd=self.path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, name: str, content: str) -> str:
        (self.path / name).write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"change {name}")
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def order(self, function: str = "build", **changes: object) -> Order:
        """A job that measures `function` of net.py at the newest commit."""
        case = Case(model="net", runner="torch", suite="latency", duration_s=0.2)
        fields: dict = {
            "job_id": 1,
            "attempt": 1,
            "token": token_new(),
            "kind": "measure",
            "project": "zoo",
            "builds": (BuildSource(build_id=1, repo=str(self.path), sha=self.head),),
            "model": "net",
            "source": ModelSource(kind="entry", ref=f"net.py:{function}"),
            "precision": "fp32",
            "cases": (case,),
        }
        return Order(**(fields | changes))
