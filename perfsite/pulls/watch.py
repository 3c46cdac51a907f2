"""What a pull request's comparison must decide, of each case: a pure table.

One metric a case, the one a person feels first and that every report of it tells.  The case's other metrics
come home in the same pairs and are shown beside it.
"""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.cases import Case

_BY_SUITE = {
    "latency": "latency_p50",
    "throughput": "throughput",
    "memory": "host_peak_memory",
    "accuracy": "accuracy_cosine_distance",
    "energy": "energy_per_sample",
}
_BUILT_BY_RUNNER = {
    "torch": "parameter_count",
    "torch_compile": "parameter_count",
    "onnxruntime": "model_size",
}
_BUILT_ENGINE = "engine_size"

SUITES_COMPARED = (*_BY_SUITE, "build")
"""Suites that measure one point and soon enough for somebody to wait."""


def watch_make(cases: Iterable[Case], *, suites: Iterable[str]) -> list[tuple[Case, str]]:
    """The (case, metric) pairs to decide: of those cases whose suite is compared, in their order."""
    wanted = set(suites)
    return [
        (case, _metric_of(case)) for case in cases if case.suite in wanted and case.suite in SUITES_COMPARED
    ]


def _metric_of(case: Case) -> str:
    if case.suite == "build":
        return _BUILT_BY_RUNNER.get(case.runner, _BUILT_ENGINE)
    return _BY_SUITE[case.suite]
