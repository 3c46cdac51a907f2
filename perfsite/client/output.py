"""Where output goes: results to standard output, everything about the work to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

_PIPED_WIDTH = 160


def print_json(value: Any) -> None:
    """JSON alone on standard output."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def console_out() -> Console:
    """For results; in a pipe there is no edge to wrap at."""
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False)


def console_err() -> Console:
    """For what is going on."""
    return Console(stderr=True, highlight=False)


def complain(message: str) -> None:
    """An error, on standard error."""
    sys.stderr.write(f"error: {message}\n")


def table_make(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """A plain table; columns named in `right` hold numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


@contextmanager
def progress(words: str, total: int | None = None) -> Iterator[Bar]:
    """A bar on a terminal, and nothing elsewhere."""
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console_err(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with shown:
        yield Bar(shown, shown.add_task(words, total=total))


class Bar:
    """One task's bar."""

    def __init__(self, shown: Progress, task: TaskID) -> None:
        self._shown, self._task = shown, task

    def step(self) -> None:
        """One more is done."""
        self._shown.advance(self._task)

    def say(self, words: str) -> None:
        """What is waited for now."""
        self._shown.update(self._task, description=words[:100])
