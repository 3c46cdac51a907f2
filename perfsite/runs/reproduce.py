"""The commands that measure a job's cases again on one's own machine: pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.cases import Case, ModelSource
from benchmarks.options import Pairs, options_written
from perfsite.runs.cases import cases_of

# the option of `python -m benchmarks run` that takes each kind of source
_OPTIONS = {"catalogue": "--model", "entry": "--entry", "onnx": "--onnx", "engine": "--engine"}


def reproduce_lines(
    spec: Mapping[str, Any], *, sha: str, repo: str, cases: Sequence[Case] | None = None, file: str = ""
) -> list[str]:
    """Shell lines for a job's order: clone, check the commit out, measure.

    Of a delivered file, `file` is its URL: fetch, verify, measure.

    `cases` are measured instead of all that were ordered, for example a single point of a suite.
    """
    wanted = cases_of(spec) if cases is None else cases
    if not wanted or not spec.get("source"):
        return []
    source = ModelSource.model_validate(spec["source"])
    if file:
        fetch, verify = _file_lines(file, sha256=sha, name=source.ref)
        told = f"{fetch}  # sign it, where it needs that"
        return [told, verify, *measure_lines(source=source, cases=wanted)]
    folder = repo.rstrip("/").removesuffix(".git").replace(":", "/").rsplit("/", 1)[-1]
    return [
        f"git clone {shlex.quote(repo)} {shlex.quote(folder)} && cd {shlex.quote(folder)}",
        f"git checkout --detach {shlex.quote(sha)}",
        *measure_lines(source=source, cases=wanted),
    ]


def reproduce_command(*, sha: str, source: ModelSource, case: Case, file: str = "") -> str:
    """One shell line: check out in a clone of the repository, or fetch and verify `file`; then measure."""
    here = (
        _file_lines(file, sha256=sha, name=source.ref)
        if file
        else [f"git checkout --detach {shlex.quote(sha)}"]
    )
    return " && ".join([*here, *measure_lines(source=source, cases=[case])])


def _file_lines(url: str, *, sha256: str, name: str) -> list[str]:
    """Fetch and verify; a query that signs the URL is left out: it is a secret, and soon too old."""
    return [
        f"curl -fLo {name} {shlex.quote(url.partition('?')[0])}",
        f"echo {shlex.quote(f'{sha256}  {name}')} | sha256sum --check",
    ]


def measure_lines(*, source: ModelSource, cases: Sequence[Case]) -> list[str]:
    """One `benchmarks run` for all cases that differ in runner, batch and suite only."""
    alike: dict[tuple[str, float, Pairs], list[Case]] = {}
    for case in cases:
        alike.setdefault((case.precision, case.duration_s, case.options), []).append(case)
    return [_measure_line(source, some) for some in alike.values()]


def _measure_line(source: ModelSource, cases: Sequence[Case]) -> str:
    first = cases[0]
    words = ["python", "-m", "benchmarks", "run", _OPTIONS[source.kind], source.ref]
    words += _repeated("--runner", (case.runner for case in cases))
    words += ["--precision", first.precision]
    words += _repeated("--batch", (str(case.batch) for case in cases))
    words += _repeated("--suite", (case.suite for case in cases))
    words += _repeated("--option", options_written(first.options))
    if source.evaluate is not None and any(case.suite == "evaluate" for case in cases):
        words += ["--evaluate", source.evaluate, *_repeated("--evaluate-lower", source.evaluate_lower)]
    return shlex.join([*words, "--duration", f"{first.duration_s:g}"])


def _repeated(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in dict.fromkeys(values) for word in (option, value)]
