"""`compare a.json b.json`: the verdict per case and metric, from the raw samples in two reports."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from benchmarks.cli.console import console_make
from benchmarks.cli.tables import comparisons_print
from benchmarks.compare import compare_pairs
from benchmarks.metrics import metric_get
from benchmarks.report import Comparison, Measurement, Report
from benchmarks.splitting import samples_split

CAVEAT = (
    "Each report is one process, so luck of a process is not told from a change of the model; "
    "a comparison that the service runs interleaves fresh processes."
)


def compare_command(options: argparse.Namespace) -> int:
    """Print the verdicts; 1 when the reports share no judged measurement."""
    comparisons = list(reports_compare(report_read(Path(options.a)), report_read(Path(options.b))))
    console = console_make()
    if options.json:
        console.out(json.dumps([row.model_dump(mode="json") for row in comparisons]), highlight=False)
    else:
        comparisons_print(comparisons, console)
        console.print(CAVEAT, markup=False)
    return 0 if comparisons else 1


def report_read(path: Path) -> Report:
    """The report in a file that `run --json` wrote.

    Raises:
        ValueError: the file cannot be read or holds something else.
    """
    try:
        return Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ValueError(f"{path} is no report of `run --json`: {where}: {first['msg']}") from error


def reports_compare(a: Report, b: Report) -> Iterator[Comparison]:
    """The verdict on every judged metric of every case that both reports measured, often enough."""
    before = {_key(measurement): measurement for measurement in a.measurements}
    for after in b.measurements:
        metric = metric_get(after.metric)
        earlier = before.get(_key(after))
        if metric.better is None or earlier is None or min(earlier.n, after.n) < metric.samples:
            continue
        first, second = samples_split(earlier), samples_split(after)
        pairs = min(len(first), len(second))
        first, second = first[:pairs], second[:pairs]
        result = compare_pairs(first, second, metric=metric, final=True)
        yield result.as_comparison(after.case, metric, first, second)


def _key(measurement: Measurement) -> tuple[str, str]:
    return measurement.case.label, measurement.metric
