"""Reports and verdicts as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.cases import Case
from benchmarks.metrics import format_seconds, metric_get
from benchmarks.report import Comparison, Measurement, Report

_VERDICT_STYLES = {"regressed": "bold red", "improved": "green", "same": "dim", "unknown": "yellow"}
_MOST_WORDS, _MOST_LABELS = 6, 3  # named beside one sentence


def report_print(report: Report, console: Console) -> None:
    """The measurements with their intervals, suite by suite, and the doubts, each once."""
    table = Table("suite", "case", "metric", "value", "95 % interval", "n", title=_title(report))
    suites = dict.fromkeys(measurement.case.suite for measurement in report.measurements)
    for suite in suites:
        table.add_section()
        before = ("", "")
        for measurement in report.measurements:
            if measurement.case.suite != suite:
                continue
            here = (suite, f"{measurement.case.runner}/{measurement.case.shape}")
            shown = (word if word != old else "" for word, old in zip(here, before, strict=True))
            table.add_row(*shown, *_cells(measurement))
            before = here
    console.print(table)
    for reading in report.canary:
        where = reading.clock.upper()
        line_print(f"canary {reading.when}: {format_seconds(reading.seconds)} on the {where}", console)
    doubts: dict[str, list[Case | None]] = {}
    for remark in report.remarks:
        sentence = f"{'unstable: ' if remark.unstable else ''}{remark.sentence}"
        doubts.setdefault(sentence, []).append(remark.case)
    for sentence, cases in doubts.items():
        words = dict.fromkeys(f"{case.runner}/{case.shape}/{case.suite}" for case in cases if case)
        line_print(f"remark: {_few(list(words)) or report.model}: {sentence}", console)


def unmeasured_print(reports: Sequence[Report], console: Console) -> None:
    """What was asked for and not measured, each reason once."""
    reasons: dict[tuple[str, str], list[Case]] = {}
    count = 0
    for report in reports:
        for outcome in report.outcomes:
            count += 1
            if outcome.status != "done":
                reasons.setdefault((outcome.status, outcome.reason), []).append(outcome.case)
    if not reasons:
        return
    missing = sum(len(cases) for cases in reasons.values())
    line_print(f"not measured: {missing} of {count} cases", console)
    for (status, reason), cases in sorted(reasons.items()):
        line_print(f"  {status}: {_cases_told(cases)}: {reason}", console)


def comparisons_print(comparisons: Iterable[Comparison], console: Console) -> None:
    """One line per case and metric: before, after, change and verdict."""
    table = Table("case", "metric")
    for heading in ("before", "after", "change", "95 % interval", "pairs", "verdict"):
        table.add_column(heading, no_wrap=True)
    for row in comparisons:
        metric = metric_get(row.metric)
        table.add_row(
            row.case.label,
            metric.title,
            metric.format(_middle(row.a)),
            metric.format(_middle(row.b)),
            f"{row.relative * 100:+.2f} %",
            _change_interval(row),
            str(len(row.a)),
            row.verdict,
            style=_VERDICT_STYLES[row.verdict],
        )
    console.print(table)


def line_print(line: str, console: Console) -> None:
    """One line as it is; whoever shows it may wrap it."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _title(report: Report) -> str:
    facts = report.environment.facts
    device = facts.get("gpu_name") or facts.get("cpu_model") or "an unknown device"
    return f"{report.model} {report.precision} on {device}"


def _cells(measurement: Measurement) -> tuple[str, str, str, str]:
    metric = metric_get(measurement.metric)
    interval = ""
    if measurement.ci_low is not None and measurement.ci_high is not None:
        interval = f"{metric.format(measurement.ci_low)} to {metric.format(measurement.ci_high)}"
    return metric.title, metric.format(measurement.value), interval, str(measurement.n)


def _cases_told(cases: Sequence[Case]) -> str:
    """A few cases by their labels, more by what they have in common."""
    if len(cases) <= _MOST_LABELS:
        return ", ".join(case.label for case in cases)
    suites, models = ({getattr(case, name): None for case in cases} for name in ("suite", "model"))
    return f"{len(cases)} cases of {_few(list(suites))} with {_few(list(models))}"


def _few(words: Sequence[str]) -> str:
    more = f" and {len(words) - _MOST_WORDS} more" if len(words) > _MOST_WORDS else ""
    return ", ".join(words[:_MOST_WORDS]) + more


def _change_interval(row: Comparison) -> str:
    if row.relative_low is None or row.relative_high is None:
        return ""
    return f"{row.relative_low * 100:+.2f} to {row.relative_high * 100:+.2f} %"


def _middle(values: tuple[float, ...]) -> float:
    return float(np.median(values))
