"""The commands that measure a job's cases again on one's own machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

# the option of `python -m benchmarks run` that takes each kind of source
_OPTIONS = {"catalogue": "--model", "entry": "--entry", "onnx": "--onnx", "engine": "--engine"}


def reproduce_lines(
    spec: Mapping[str, Any], *, sha: str, repo: str, only: Mapping[str, Any] | None = None
) -> list[str]:
    """Shell lines: check the commit out, then one `benchmarks run` per case of the job's order.

    `only` names fields a case must have, for example `{"runner": "torch", "suite": "latency"}`.
    """
    source = spec.get("source") or {}
    option = _OPTIONS.get(source.get("kind", ""))
    if option is None:
        return []
    folder = repo.rstrip("/").removesuffix(".git").replace(":", "/").rsplit("/", 1)[-1]
    lines = [
        f"git clone {shlex.quote(repo)} {shlex.quote(folder)} && cd {shlex.quote(folder)}",
        f"git checkout --detach {shlex.quote(sha)}",
    ]
    wanted = (only or {}).items()
    for case in spec.get("cases", []):
        if any(case[name] != value for name, value in wanted):
            continue
        words = ["python", "-m", "benchmarks", "run", option, source["ref"], "--runner", case["runner"]]
        words += ["--precision", case["precision"], "--batch", str(case["batch"]), "--suite", case["suite"]]
        words += ["--duration", f"{case['duration_s']:g}"]
        lines.append(shlex.join(words))
    return lines
