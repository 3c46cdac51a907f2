"""What happened to an incident: appended, never edited."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from perfsite.regressions.incident_states import state_of
from perfsite.regressions.models import Incident, IncidentEvent
from perfsite.regressions.signals import incident_changed


def event_append(*, incident: Incident, code: str, sentence: str, actor: str = "") -> IncidentEvent:
    """Append what happened, in the transaction that made it happen; `actor` is empty for the service."""
    return IncidentEvent.objects.create(
        incident=incident, code=code[:30], sentence=sentence, actor=actor[:150]
    )


def incident_locked(*, incident_id: int) -> Incident:
    """The incident's row, locked until the transaction ends: its `facts` are read, changed and written."""
    return (
        Incident.objects.select_for_update(of=("self",))
        .select_related("build", "project")
        .get(pk=incident_id)
    )


def fact_note(*, incident: Incident, topic: str, fact: object) -> bool:
    """Keep what was found out under its topic; False when that is known.  Call it on a locked row."""
    if incident.facts.get(topic) == fact:
        return False
    incident.facts = {**incident.facts, topic: fact}
    Incident.objects.filter(pk=incident.pk).update(facts=incident.facts)
    return True


def incident_set(*, incident: Incident, **fields: Any) -> None:
    """Change columns of an incident and let `state` follow.  Call it on a locked row."""
    for name, value in fields.items():
        setattr(incident, name, value)
    incident.state = state_of(
        override=incident.override,
        kind=incident.kind,
        is_withdrawn=incident.withdrawn_at is not None,
        is_fixed=incident.fixed_at is not None,
    )
    incident.save(update_fields=[*fields, "state"])


def incident_again(*, incident: Incident, sentence: str, **fields: Any) -> None:
    """Let an incident that was taken back stand again, with `fields` beside: another opening, told anew.

    `sentence` says why it stands again.  Call it on a locked row; the event is the caller's.
    """
    fact_note(incident=incident, topic="again", fact=sentence)
    incident_set(incident=incident, opening=incident.opening + 1, reopened_at=timezone.now(), **fields)
    transaction.on_commit(partial(incident_changed.send_robust, sender=Incident, incident_id=incident.pk))
