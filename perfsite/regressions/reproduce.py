"""The commands that measure one case of one commit again on one's own machine (pure)."""

from __future__ import annotations

import shlex

from benchmarks.cases import Case, ModelSource

# the option of `python -m benchmarks run` that takes each kind of source
_OPTIONS = {"catalogue": "--model", "entry": "--entry", "onnx": "--onnx", "engine": "--engine"}


def reproduce_command(*, sha: str, source: ModelSource, case: Case) -> str:
    """One shell line, to be run in a clone of the repository: check out, then measure."""
    words = ["python", "-m", "benchmarks", "run", _OPTIONS[source.kind], source.ref]
    words += ["--runner", case.runner, "--precision", case.precision]
    words += ["--batch", str(case.batch), "--suite", case.suite, "--duration", f"{case.duration_s:g}"]
    return f"git checkout --detach {shlex.quote(sha)} && {shlex.join(words)}"
