"""The commands that measure a job's cases again on one's own machine: pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from benchmarks.cases import Case, ModelSource

# the option of `python -m benchmarks run` that takes each kind of source
_OPTIONS = {"catalogue": "--model", "entry": "--entry", "onnx": "--onnx", "engine": "--engine"}


def reproduce_lines(
    spec: Mapping[str, Any], *, sha: str, repo: str, only: Mapping[str, Any] | None = None
) -> list[str]:
    """Shell lines for a job's order: clone, check the commit out, measure.

    `only` names fields a case must have, for example `{"runner": "torch", "suite": "latency"}`.
    """
    wanted = (only or {}).items()
    cases = [
        Case.model_validate(case)
        for case in spec.get("cases", [])
        if all(case[name] == value for name, value in wanted)
    ]
    if not cases or not spec.get("source"):
        return []
    folder = repo.rstrip("/").removesuffix(".git").replace(":", "/").rsplit("/", 1)[-1]
    return [
        f"git clone {shlex.quote(repo)} {shlex.quote(folder)} && cd {shlex.quote(folder)}",
        f"git checkout --detach {shlex.quote(sha)}",
        *measure_lines(source=ModelSource.model_validate(spec["source"]), cases=cases),
    ]


def reproduce_command(*, sha: str, source: ModelSource, case: Case) -> str:
    """One shell line, to be run in a clone of the repository: check out, then measure one case."""
    return " && ".join(
        [f"git checkout --detach {shlex.quote(sha)}", *measure_lines(source=source, cases=[case])]
    )


def measure_lines(*, source: ModelSource, cases: Sequence[Case]) -> list[str]:
    """One `benchmarks run` for all cases that differ in runner, batch and suite only."""

    def apart(case: Case) -> tuple[str, float]:
        return case.precision, case.duration_s

    return [
        _measure_line(source, precision, duration_s, list(alike))
        for (precision, duration_s), alike in groupby(sorted(cases, key=apart), key=apart)
    ]


def _measure_line(source: ModelSource, precision: str, duration_s: float, cases: list[Case]) -> str:
    words = ["python", "-m", "benchmarks", "run", _OPTIONS[source.kind], source.ref]
    words += _repeated("--runner", (case.runner for case in cases))
    words += ["--precision", precision]
    words += _repeated("--batch", (str(case.batch) for case in cases))
    words += _repeated("--suite", (case.suite for case in cases))
    return shlex.join([*words, "--duration", f"{duration_s:g}"])


def _repeated(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in dict.fromkeys(values) for word in (option, value)]
