"""Where people's output goes."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

PIPED_WIDTH = 160  # columns in a file or a pipe, where there is no edge to wrap at


def console_make(stream: TextIO | None = None) -> Console:
    """A console on `stream`, standard output unless told."""
    target = stream or sys.stdout
    return Console(file=target, width=None if target.isatty() else PIPED_WIDTH)
