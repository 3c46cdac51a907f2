"""What a person decides about an incident."""

from __future__ import annotations

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.models import Incident

# a person may take any step back: only the words are fixed
TRIAGE_STATES: dict[str, str] = {
    "untriaged": "nobody has looked at it yet",
    "investigating": "somebody looks into it",
    "confirmed": "a real regression that is to be mended",
    "accepted": "a price worth paying: the new level is the right one",
    "resolved": "mended or reverted",
    "refuted": "not a regression: the detector was wrong",
}


def incident_triage(*, incident: Incident, state: str, note: str) -> None:
    """Store a person's decision and note.

    Raises:
        PerfsiteError: the state is none of `TRIAGE_STATES`.
    """
    if state not in TRIAGE_STATES:
        raise PerfsiteError(f"unknown incident state {state!r}; known: {', '.join(TRIAGE_STATES)}")
    Incident.objects.filter(pk=incident.pk).update(state=state, note=note)
    incident.state, incident.note = state, note
