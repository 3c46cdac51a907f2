"""The legal steps of a pull request's head: a pure table, drawn in the README beside this file."""

from __future__ import annotations

HEAD_STATES: dict[str, frozenset[str]] = {
    "received": frozenset({"planned", "skipped", "failed", "superseded"}),
    "waiting": frozenset({"received", "superseded"}),  # a fork's code: a maintainer approves it
    "planned": frozenset({"superseded"}),
    "skipped": frozenset(),
    "failed": frozenset({"received"}),  # the same commit is delivered again
    "superseded": frozenset({"received", "waiting"}),  # pushed back to it, or reopened
}
