"""`trends`: every point of the wanted series, to CSV or Parquet."""

from __future__ import annotations

import argparse
import csv
import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from perfsite.client.output import console_err, print_json, progress
from perfsite.client.site import SiteClient, SiteError

FACETS = ("branch", "model", "runner", "precision", "shape", "suite", "metric", "device_class")
_SERIES = ("branch", "device_class", "model", "runner", "precision", "shape", "suite", "metric", "unit")
_POINT = ("ordinal", "build_id", "value", "ci_low", "ci_high", "n", "unstable")
COLUMNS = ("series_id", *_SERIES, *_POINT)


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("words", nargs="*", help="words that a series' names must have")
    for facet in FACETS:
        parser.add_argument(f"--{facet.replace('_', '-')}", default="")
    parser.add_argument("--first", type=int, metavar="ORDINAL", help="from this place of the branch on")
    parser.add_argument("--last", type=int, metavar="ORDINAL", help="up to this one")
    parser.add_argument(
        "-o",
        "--output",
        default="-",
        metavar="FILE",
        help="*.csv or *.parquet; default: CSV on standard output",
    )


def run(options: argparse.Namespace, site: SiteClient) -> int:
    """0, however many points there are."""
    to_parquet = options.output.endswith(".parquet")
    if to_parquet:
        _pyarrow()  # say so before an hour of reading
    wanted = {facet: getattr(options, facet) for facet in FACETS}
    path = f"/projects/{options.project}/series"
    series = list(site.every(path, q=" ".join(options.words), limit=500, **wanted))
    rows = _rows(site, series, options)
    if options.json:
        print_json(list(rows))
    elif to_parquet:
        _parquet_write(list(rows), options.output)
    elif options.output == "-":
        _csv_write(rows, sys.stdout)
    else:
        with Path(options.output).open("w", newline="", encoding="utf-8") as file:
            _csv_write(rows, file)
    if options.output != "-":
        console_err().print(f"{options.output}: {len(series)} series", markup=False)
    return 0


def _rows(
    site: SiteClient, series: list[dict[str, Any]], options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """The points of all series, each series in branch order."""
    with progress("reading", total=len(series)) as bar:
        for one in series:
            path = f"/series/{one['id']}/points"
            points = list(site.every(path, limit=500, first=options.first, last=options.last))
            named = {"series_id": one["id"], **{name: one[name] for name in _SERIES}}
            yield from ({**named, **{name: point[name] for name in _POINT}} for point in reversed(points))
            bar.step()


def _csv_write(rows: Iterable[dict[str, Any]], file: TextIO) -> None:
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _parquet_write(rows: list[dict[str, Any]], name: str) -> None:
    pyarrow, parquet = _pyarrow()
    columns = {column: [row[column] for row in rows] for column in COLUMNS}
    parquet.write_table(pyarrow.table(columns), name)


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise SiteError("Parquet needs pyarrow: pip install 'perfsite[parquet]', or write CSV") from None
