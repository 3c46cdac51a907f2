"""Reports and verdicts as tables for people."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.metrics import metric_get
from benchmarks.report import Comparison, Measurement, Report

_VERDICT_STYLES = {"regressed": "bold red", "improved": "green", "same": "dim", "unknown": "yellow"}


def report_print(report: Report, console: Console) -> None:
    """The measurements with their intervals, what was not measured and why, and the doubts."""
    table = Table("case", "metric", "value", "95 % interval", "n", title=f"{report.model} {report.precision}")
    for measurement in report.measurements:
        table.add_row(
            _case_short(measurement),
            metric_get(measurement.metric).title,
            metric_get(measurement.metric).format(measurement.value),
            _interval(measurement),
            str(measurement.n),
        )
    console.print(table)
    for outcome in report.outcomes:
        if outcome.status != "done":
            console.print(f"{outcome.status}: {outcome.case.label}: {outcome.reason}", markup=False)
    for remark in report.remarks:
        label = remark.case.label if remark.case else report.model
        console.print(f"remark: {label}: {remark.sentence}", markup=False)


def comparisons_print(comparisons: Iterable[Comparison], console: Console) -> None:
    """One line per case and metric: before, after, change and verdict."""
    table = Table("case", "metric")
    for heading in ("before", "after", "change", "95 % interval", "pairs", "verdict"):
        table.add_column(heading, no_wrap=True)
    for row in comparisons:
        metric = metric_get(row.metric)
        table.add_row(
            f"{row.case.runner}/{row.case.precision}/{row.case.shape}",
            metric.title,
            metric.format(_middle(row.a)),
            metric.format(_middle(row.b)),
            f"{row.relative * 100:+.1f} %",
            _change_interval(row),
            str(len(row.a)),
            row.verdict,
            style=_VERDICT_STYLES[row.verdict],
        )
    console.print(table)


def _case_short(measurement: Measurement) -> str:
    case = measurement.case
    return f"{case.runner}/{case.shape}/{case.suite}"


def _interval(measurement: Measurement) -> str:
    if measurement.ci_low is None or measurement.ci_high is None:
        return ""
    show = metric_get(measurement.metric).format
    return f"{show(measurement.ci_low)} to {show(measurement.ci_high)}"


def _change_interval(row: Comparison) -> str:
    if row.relative_low is None or row.relative_high is None:
        return ""
    return f"{row.relative_low * 100:+.1f} to {row.relative_high * 100:+.1f} %"


def _middle(values: tuple[float, ...]) -> float:
    return float(np.median(values))
