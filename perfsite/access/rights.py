"""Which purpose of a token allows what: pure."""

from __future__ import annotations

PURPOSES: dict[str, str] = {
    "worker": "claims jobs and sends their reports",
    "read": "reads",
    "report": "reads, and sends results that were measured elsewhere",
    "deliver": "reads, tells of builds without a webhook, orders and cancels measurements",
    "triage": "reads, and triages incidents",
}
FORMER = {"write": "deliver"}
"""Purposes of earlier releases, and what they are called now."""

RIGHTS: dict[str, frozenset[str]] = {
    "work": frozenset({"worker"}),
    "read": frozenset({"read", "report", "deliver", "triage"}),
    "report": frozenset({"report"}),
    "deliver": frozenset({"deliver"}),
    "triage": frozenset({"triage"}),
}
"""What an operation of the API needs, and the purposes that give it."""
