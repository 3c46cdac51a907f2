"""What a list of incidents may be narrowed to, on pages and in the API."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Q, QuerySet

from perfsite.regressions.incident_states import OPEN_STATES
from perfsite.regressions.models import Incident, Regression


@dataclass(frozen=True)
class IncidentFilter:
    """What a list of incidents is narrowed to; an empty word asks for nothing."""

    state: str = ""
    kind: str = ""
    tag: str = ""
    assignee: str = ""
    text: str = ""

    @property
    def query(self) -> str:
        """The filter as a part of an address."""
        return urlencode({name: value for name, value in vars(self).items() if value})


def incidents_filtered(rows: QuerySet[Incident], wanted: IncidentFilter) -> QuerySet[Incident]:
    """The rows that a filter leaves; `open` is every state that still stands."""
    if wanted.state == "open":
        rows = rows.filter(state__in=OPEN_STATES)
    elif wanted.state:
        rows = rows.filter(state=wanted.state)
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind)
    if wanted.tag:  # neither database finds a member of a JSON list in the same way: the quoted word does
        rows = rows.filter(tags__icontains=f'"{wanted.tag.lower()}"')
    if wanted.assignee:
        author = Q(assignee="", kind=Incident.Kind.CODE, build__author_email__iexact=wanted.assignee)
        rows = rows.filter(Q(assignee__iexact=wanted.assignee) | author)
    if wanted.text:
        word = wanted.text
        rows = rows.filter(
            Q(build__sha__istartswith=word)
            | Q(build__subject__icontains=word)
            | Q(note__icontains=word)
            | Q(pk__in=Regression.objects.filter(series__model__icontains=word).values("incident_id"))
        )
    return rows
