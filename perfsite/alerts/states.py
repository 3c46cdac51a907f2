"""The legal steps of a notification (pure), drawn in the README beside this file."""

from __future__ import annotations

NOTIFICATION_STATES: dict[str, frozenset[str]] = {
    "queued": frozenset({"sending"}),
    "sending": frozenset({"sent", "queued", "failed", "uncertain"}),
    "sent": frozenset(),
    "failed": frozenset(),
    "uncertain": frozenset(),  # the sender died in mid-call and a second message would not be known as such
}
