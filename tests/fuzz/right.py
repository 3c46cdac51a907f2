"""Right documents of each kind: what bad ones are made from."""

from __future__ import annotations

from typing import Any

from benchmarks.cases import Case
from workers.messages import Device, Failure, Hello, Pair, Progress

SHA = "0123456789abcdef0123456789abcdef01234567"
_AUTHOR = {"name": "Ada", "email": "ada@example.org"}
_COMMIT = {
    "id": SHA,
    "message": "one\n\ntwo",
    "timestamp": "2026-11-01T12:00:00+01:00",
    "author": _AUTHOR,
    "added": ["a.py"],
    "removed": [],
    "modified": [],
}
_REPOSITORY = {
    "full_name": "acme/fuzz",
    "clone_url": "https://forge.example/acme/fuzz.git",
    "ssh_url": "git@forge.example:acme/fuzz.git",
    "html_url": "https://forge.example/acme/fuzz",
}
_END = {"sha": SHA, "ref": "main", "repo": {**_REPOSITORY, "fork": False}, "user": {"login": "ada"}}
_PROJECT = {
    "path_with_namespace": "acme/fuzz",
    "git_http_url": _REPOSITORY["clone_url"],
    "git_ssh_url": _REPOSITORY["ssh_url"],
    "web_url": _REPOSITORY["html_url"],
    "id": 1,
}

GITHUB: list[Any] = [
    {
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": SHA,
        "deleted": False,
        "forced": False,
        "repository": _REPOSITORY,
        "head_commit": _COMMIT,
        "commits": [_COMMIT],
    },
    {
        "action": "opened",
        "number": 7,
        "repository": _REPOSITORY,
        "pull_request": {
            "number": 7,
            "title": "t",
            "state": "open",
            "head": _END,
            "base": _END,
            "user": {"login": "ada"},
            "html_url": "https://forge.example/acme/fuzz/pull/7",
            "draft": False,
        },
    },
    {"zen": "z", "hook_id": 1, "repository": _REPOSITORY},
]
GITLAB: list[Any] = [
    {
        "object_kind": "push",
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": SHA,
        "checkout_sha": SHA,
        "project": _PROJECT,
        "commits": [_COMMIT],
        "total_commits_count": 1,
    },
    {
        "object_kind": "merge_request",
        "project": _PROJECT,
        "user": {"username": "ada"},
        "object_attributes": {
            "source_project_id": 1,
            "target_project_id": 1,
            "iid": 7,
            "title": "t",
            "state": "opened",
            "action": "open",
            "source_branch": "b",
            "target_branch": "main",
            "last_commit": _COMMIT,
            "source": _PROJECT,
            "target": _PROJECT,
            "url": "https://forge.example/7",
        },
    },
]
GENERIC: list[Any] = [
    {
        "kind": "commit",
        "ref": "refs/heads/main",
        "sha": SHA,
        "parents": [SHA],
        "message": "m",
        "author": "Ada <ada@example.org>",
        "timestamp": "2026-11-01T12:00:00Z",
        "repository": _REPOSITORY["clone_url"],
    },
    {
        "kind": "artifact",
        "ref": "refs/heads/files",
        "url": "https://files.example/m.onnx",
        "sha256": "a" * 64,
        "size": 5,
        "format": "onnx",
        "model": "m",
        "rules": {"measure": {"runners": ["onnxruntime"]}},
    },
    {"kind": "ping"},
]
TOML = b"""version = 1
branches = ["main"]
[limits]
wall_clock = 900
memory_gib = 4
[defaults]
runners = ["torch", "onnxruntime"]
precisions = ["fp32"]
suites = ["latency", "throughput"]
batches = [1, 8]
duration = 1.0
[confirmation]
minutes_per_day = 60
[models.cnn]
catalogue = "tiny-cnn"
when = "push"
[models.own]
entry = "models.py:build"
suites = ["latency", "server"]
[models.own.options.server]
qps = [10, 20]
"""
_CASE = Case(model="m", runner="torch", suite="latency").model_dump()
REPORT: list[Any] = [
    {
        "format": 2,
        "kind": "measure",
        "created_at": "2026-11-01T12:00:00Z",
        "generator": "g",
        "model": "m",
        "source": {"kind": "catalogue", "ref": "tiny-cnn"},
        "precision": "fp32",
        "environment": {"facts": {"cpu_model": "c", "cores": 4}, "missing": {"gpu": "none"}},
        "stages": [{"name": "export", "seconds": 1.0}],
        "outcomes": [{"case": _CASE, "status": "done", "reason": ""}],
        "measurements": [
            {
                "case": _CASE,
                "metric": "latency_p50",
                "value": 0.01,
                "unit": "s",
                "ci_low": 0.009,
                "ci_high": 0.011,
                "n": 100,
                "samples": [0.01, 0.011],
            }
        ],
        "canary": [{"when": "before", "clock": "cpu", "seconds": 0.1, "n": 3}],
        "remarks": [{"code": "c", "sentence": "s", "unstable": True, "case": _CASE}],
        "artifacts": [{"name": "a.log", "kind": "log", "sha256": "a" * 64, "size": 3}],
    },
]
DEVICE = Device(device_class="cpu", name="A processor", uuid="cpu-1")
MESSAGES: dict[str, list[Any]] = {
    "worker/hello": [Hello(worker="w1", device=DEVICE, facts={"a": 1}).model_dump(mode="json")],
    "worker/claim": [{"worker": "w1", "device": DEVICE.model_dump()}],
    "attempts/{token}/progress": [
        Progress(stage="s", fraction=0.5, message="m", log="l").model_dump(mode="json")
    ],
    "attempts/{token}/failure": [Failure(kind="build", message="m", log="l").model_dump(mode="json")],
    "attempts/{token}/pairs": [
        Pair(number=0, values=((0, "latency_p50", 1.0, 1.1),)).model_dump(mode="json")
    ],
    "attempts/{token}/report": REPORT,
}
"""The operations of workers, and a right body of each."""
