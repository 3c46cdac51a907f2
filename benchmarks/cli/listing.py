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
from benchmarks.options import OPTIONS, PROVIDER_PREFIX, Option


def list_command(options: argparse.Namespace) -> int:
    """Every name that a case may be made of, with what it means."""
    metrics = {
        name: {"title": row.title, "unit": row.unit, "better": row.better, "relevant": row.relevant}
        for name, row in METRICS.items()
    }
    console = console_make()
    if options.json:
        tables = {"models": CATALOGUE, "runners": RUNNERS, "precisions": PRECISIONS, "suites": SUITES}
        known = {name: _option_plain(row) for name, row in OPTIONS.items()}
        console.out(json.dumps({**tables, "options": known, "metrics": metrics}, indent=2), highlight=False)
        return 0
    for title, rows in (
        ("models", CATALOGUE),
        ("runners", RUNNERS),
        ("precisions", PRECISIONS),
        ("suites", SUITES),
        ("options", _options_told()),
    ):
        console.print(_table(title, rows))
    console.print(_table("metrics", {name: f"{row.title} [{row.unit}]" for name, row in METRICS.items()}))
    return 0


def _option_plain(row: Option) -> dict[str, object]:
    limits = {} if row.kind in (bool, str) else {"low": row.low, "high": row.high}
    told = {"kind": row.kind.__name__, "meaning": row.meaning, "suites": row.suites, "runners": row.runners}
    return {**told, **limits, **({"choices": row.choices} if row.choices else {})}


def _options_told() -> dict[str, str]:
    """Each option with its meaning, its words where it has some, and whom it concerns."""
    rows = {}
    for name, row in OPTIONS.items():
        choices = f" ({', '.join(row.choices)})" if row.choices else ""
        rows[name] = f"{row.meaning}{choices}; for {', '.join((*row.suites, *row.runners))}"
    meaning = "an option of the execution provider, as it is"
    rows[f"{PROVIDER_PREFIX}NAME"] = f"{meaning}; for onnxruntime, onnxruntime_tensorrt"
    return rows


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
