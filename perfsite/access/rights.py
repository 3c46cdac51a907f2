"""Which purpose of a token allows what: pure."""

from __future__ import annotations

PURPOSES: dict[str, str] = {
    "worker": "claims jobs and sends their reports",
    "read": "reads",
    "report": "reads, and sends results that were measured elsewhere",
    "deliver": "reads, tells of builds without a webhook, orders and cancels measurements",
    "triage": "reads, and triages incidents",
    "manage": "does all of these but a worker's, and keeps alerts, schedules, tokens and the rule",
}
FORMER = {"write": "deliver"}
"""Purposes of earlier releases, and what they are called now."""

RIGHTS: dict[str, frozenset[str]] = {
    "work": frozenset({"worker"}),
    "read": frozenset({"read", "report", "deliver", "triage", "manage"}),
    "report": frozenset({"report", "manage"}),
    "deliver": frozenset({"deliver", "manage"}),
    "triage": frozenset({"triage", "manage"}),
    "manage": frozenset({"manage"}),
}
"""What an operation of the API needs, and the purposes that give it."""
