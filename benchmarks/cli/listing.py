"""`list` and `env`: what there is."""

from __future__ import annotations

import argparse
import json

from rich.table import Table

from benchmarks.cases import PRECISIONS, RUNNERS, SUITES
from benchmarks.cli.console import console_make
from benchmarks.device import device_choose
from benchmarks.environment import environment_read
from benchmarks.metrics import METRICS
from benchmarks.models.catalogue import CATALOGUE


def list_command(options: argparse.Namespace) -> int:
    """Every name that a case may be made of, with what it means."""
    metrics = {
        name: {"title": row.title, "unit": row.unit, "better": row.better, "relevant": row.relevant}
        for name, row in METRICS.items()
    }
    console = console_make()
    if options.json:
        tables = {"models": CATALOGUE, "runners": RUNNERS, "precisions": PRECISIONS, "suites": SUITES}
        console.out(json.dumps({**tables, "metrics": metrics}, indent=2), highlight=False)
        return 0
    for title, rows in (
        ("models", CATALOGUE),
        ("runners", RUNNERS),
        ("precisions", PRECISIONS),
        ("suites", SUITES),
    ):
        console.print(_table(title, rows))
    console.print(_table("metrics", {name: f"{row.title} [{row.unit}]" for name, row in METRICS.items()}))
    return 0


def env_command(options: argparse.Namespace) -> int:
    """The facts that every report carries; a missing one with its reason."""
    environment = environment_read(device_choose())
    console = console_make()
    if options.json:
        console.out(environment.model_dump_json(indent=2), highlight=False)
        return 0
    rows = {
        name: str(value) if value is not None else f"none: {environment.missing.get(name, 'not told')}"
        for name, value in environment.facts.items()
    }
    console.print(_table("environment", rows))
    return 0


def _table(title: str, rows: dict[str, str]) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    for name, text in rows.items():
        table.add_row(name, text.replace("[", "\\["))
    return table
