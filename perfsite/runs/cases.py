"""The cases of an order and the points that their suites report: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from benchmarks.cases import Case


class CaseFields(Protocol):
    """What names a case of one model: a case, and a row of a series."""

    @property
    def runner(self) -> str:
        """A row of `RUNNERS`."""
        ...

    @property
    def precision(self) -> str:
        """A row of `PRECISIONS`."""
        ...

    @property
    def shape(self) -> str:
        """Batch and options, for example `b8,qps=50`."""
        ...

    @property
    def suite(self) -> str:
        """A row of `SUITES`."""
        ...


class LabelFields(CaseFields, Protocol):
    """A case with its model."""

    @property
    def model(self) -> str:
        """The name of `perfsite.toml`."""
        ...


def cases_of(spec: Mapping[str, Any]) -> list[Case]:
    """The cases of a job's order."""
    return [Case.model_validate(fields) for fields in spec.get("cases", [])]


def case_label(case: LabelFields) -> str:
    """The case as people write it and patterns match it: `model/runner/precision/shape`."""
    return f"{case.model}/{case.runner}/{case.precision}/{case.shape}"


def case_key(case: CaseFields) -> tuple[str, str, str, str]:
    """Runner, precision, shape and suite: what tells the cases of one model apart."""
    return case.runner, case.precision, case.shape, case.suite


def case_find(cases: Sequence[Case], wanted: CaseFields) -> Case | None:
    """The case that measures `wanted` alone; None when none of `cases` can have reported it.

    A suite that measures several points reports each under a shape that nobody ordered: its case is
    the ordered one at that shape.
    """
    exact = next((case for case in cases if case_key(case) == case_key(wanted)), None)
    if exact is not None:
        return exact
    runner, precision, shape, suite = case_key(wanted)
    able = (case for case in cases if (case.runner, case.precision, case.suite) == (runner, precision, suite))
    case = next(able, None)
    try:
        return case and case.at_shape(shape)
    except ValueError:  # an option of an earlier release, which nothing can measure any more
        return None


def origin_of(point: Case, ordered: Sequence[Case]) -> list[Case]:
    """The ordered cases that `point` most likely came from: itself, else those of the nearest shape."""
    if point in ordered:
        return [point]
    able = [case for case in ordered if case.origin == point.origin]
    most = max((_alike(case, point) for case in able), default=0)
    return [case for case in able if _alike(case, point) == most]


def _alike(case: Case, point: Case) -> int:
    """How much of its shape the point has from the case."""
    return len(set(case.options) & set(point.options)) + (case.batch == point.batch)
