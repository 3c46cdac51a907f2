"""What happened to an incident, in order."""

from __future__ import annotations

from perfsite.access.privacy import addresses_hidden
from perfsite.regressions.models import Incident, IncidentEvent


def events_of(*, incident: Incident, is_known: bool) -> list[IncidentEvent]:
    """The incident's events, the oldest first; to a stranger without anybody's address."""
    rows = list(incident.events.order_by("id"))
    for row in rows if not is_known else ():
        row.sentence, row.actor = addresses_hidden(row.sentence), addresses_hidden(row.actor)
    return rows
