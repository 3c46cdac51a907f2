"""`compare a.json b.json`: the verdict per case and metric, from the raw samples in two reports."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from benchmarks.cli.comparability import (
    FactDiffering,
    doubt_apply,
    doubts_of,
    facts_differing,
    machines_check,
)
from benchmarks.cli.console import console_make
from benchmarks.cli.tables import comparisons_print, line_print
from benchmarks.compare import compare_pairs
from benchmarks.metrics import metric_get
from benchmarks.report import Comparison, Measurement, Report
from benchmarks.splitting import samples_split

Key = tuple[str, str]
MOST_LABELS = 4
FOUND = 3  # the exit status of `--fail-on`

CAVEAT = (
    "Each report is one process, so luck of a process is not told from a change of the model; "
    "a comparison that the service runs interleaves fresh processes."
)


def compare_command(options: argparse.Namespace) -> int:
    """Print the verdicts; 1 when the reports share no judged measurement, 3 as `--fail-on` says.

    Raises:
        ValueError: a file is no report, or the two are of different machines.
    """
    reports = [reports_read(Path(path)) for path in (options.a, options.b)]
    differing = facts_differing(*reports)
    machines_check(differing, across=options.across_machines)
    before, after = (measured(side) for side in reports)
    sides = {"before": doubts_of(reports[0]), "after": doubts_of(reports[1])}
    comparisons = []
    for row in measurements_compare(before, after):
        doubts = {side: told[row.case.label] for side, told in sides.items() if row.case.label in told}
        comparisons.append(doubt_apply(row, doubts, judge=options.unstable))
    if options.json:
        told = {
            "comparisons": [row.model_dump(mode="json") for row in comparisons],
            "facts_differing": [fact.model_dump(mode="json") for fact in differing],
            "unstable": sides,
            "only_in_before": _labels(before.keys() - after),
            "only_in_after": _labels(after.keys() - before),
            "caveat": CAVEAT,
        }
        console_make().out(json.dumps(told), highlight=False)
    else:
        _comparisons_tell(options, comparisons, differing, before, after)
    return _status(comparisons, options.fail_on)


def _comparisons_tell(
    options: argparse.Namespace,
    comparisons: Sequence[Comparison],
    differing: Sequence[FactDiffering],
    before: Mapping[Key, Measurement],
    after: Mapping[Key, Measurement],
) -> None:
    console = console_make()
    comparisons_print(comparisons, console)
    for line in dict.fromkeys(
        f"{row.case.label}: {row.sentence}" for row in comparisons if "is unstable: " in row.sentence
    ):
        line_print(line, console)
    if differing:
        line_print(f"facts that differ: {'; '.join(fact.words for fact in differing)}", console)
    for path, keys in ((options.a, before.keys() - after), (options.b, after.keys() - before)):
        if keys:
            labels = _labels(keys)
            told = ", ".join(labels[:MOST_LABELS]) + (" and others" if len(labels) > MOST_LABELS else "")
            line_print(f"only in {path}: {len(keys)} numbers of {told}", console)
    line_print(CAVEAT, console)


def _labels(keys: Iterable[Key]) -> list[str]:
    return sorted({label for label, _ in keys})


def _status(comparisons: Sequence[Comparison], fail_on: str | None) -> int:
    if not comparisons:
        return 1
    return FOUND if any(row.verdict == fail_on for row in comparisons) else 0


def reports_read(path: Path) -> list[Report]:
    """The reports in a file that `run --json` wrote: one, or a list of them.

    Raises:
        ValueError: the file cannot be read or holds something else.
    """
    try:
        return _FILE.validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ValueError(f"{path} is no report of `run --json`: {where}: {first['msg']}") from error


def _one_or_many(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


_FILE = TypeAdapter(Annotated[list[Report], BeforeValidator(_one_or_many)])


def measured(reports: Iterable[Report]) -> dict[Key, Measurement]:
    """Every measurement by model, precision and the rest of its case, and its metric."""
    return {_key(one): one for report in reports for one in report.measurements}


def measurements_compare(
    before: Mapping[Key, Measurement], after: Mapping[Key, Measurement]
) -> Iterator[Comparison]:
    """The verdict on every judged metric of every case that both sides measured, often enough."""
    for key, later in after.items():
        metric, earlier = metric_get(later.metric), before.get(key)
        if metric.better is None or earlier is None or min(earlier.n, later.n) < metric.samples:
            continue
        first, second = samples_split(earlier), samples_split(later)
        pairs = min(len(first), len(second))
        first, second = first[:pairs], second[:pairs]
        result = compare_pairs(first, second, metric=metric, final=True)
        yield result.as_comparison(later.case, metric, first, second)


def _key(measurement: Measurement) -> Key:
    return measurement.case.label, measurement.metric
