"""What happened to an incident, in order."""

from __future__ import annotations

from perfsite.regressions.models import Incident, IncidentEvent


def events_of(*, incident: Incident) -> list[IncidentEvent]:
    """The incident's events, the oldest first."""
    return list(incident.events.order_by("id"))
