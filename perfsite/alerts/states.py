"""The legal steps of a notification (pure), drawn in the README beside this file."""

from __future__ import annotations

NOTIFICATION_STATES: dict[str, frozenset[str]] = {
    "queued": frozenset({"sending", "failed"}),
    "sending": frozenset({"sent", "queued", "failed", "uncertain"}),
    "sent": frozenset(),
    # only a person sends these again
    "failed": frozenset({"queued"}),
    "uncertain": frozenset({"queued", "sent"}),
}
