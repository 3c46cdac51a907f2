"""The reports of `python -m benchmarks run --json`: one, or a list of them.  Pure."""

from __future__ import annotations

from pydantic import ValidationError

from benchmarks.report import Report
from perfsite.client.formats.reading import document
from perfsite.client.measured import FormatError, Measured, Reading


def read(text: str, name: str) -> Reading:
    """The measurements of all reports; the facts are the first one's.

    Raises:
        FormatError: a part is no report.
    """
    told = document(text, what="a report")
    try:
        reports = [Report.model_validate(one) for one in (told if isinstance(told, list) else [told])]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FormatError(f"this is no report of `benchmarks run --json`: {where}: {first['msg']}") from None
    if not reports:
        raise FormatError("the file has no report; `benchmarks run --json` writes at least one")
    rows = [row for report in reports for row in _rows(report)]
    return Reading(rows, reports[0].generator, dict(reports[0].environment.facts))


def _rows(report: Report) -> list[Measured]:
    doubtful = {remark.case for remark in report.remarks if remark.unstable}
    return [
        Measured(
            model=one.case.model,
            runner=one.case.runner,
            precision=one.case.precision,
            shape=one.case.shape,
            suite=one.case.suite,
            metric=one.metric,
            value=one.value,
            ci_low=one.ci_low,
            ci_high=one.ci_high,
            n=one.n,
            unstable=not doubtful.isdisjoint((None, one.case)),
        )
        for one in report.measurements
    ]
