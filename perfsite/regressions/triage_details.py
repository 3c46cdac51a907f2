"""What people write on an incident: whose it is, tags, links, a due date.  Every change is an event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.events import event_append, incident_locked, incident_set
from perfsite.regressions.models import Incident

MOST_TAGS = 20
MOST_LINKS = 20
_LONGEST_TAG = 40
_LONGEST_LINK = 500


@transaction.atomic
def incident_edit(
    *,
    incident: Incident,
    actor: str,
    note: str | None = None,
    assignee: str | None = None,
    tags: Sequence[str] | None = None,
    links: Sequence[str] | None = None,
    due_on: date | str | None = None,
) -> None:
    """Change what is not None; an empty assignee is the default one again, an empty due date is none.

    Raises:
        PerfsiteError: a tag or link is too long or too many, a link is no web address, a date is none.
    """
    row = incident_locked(incident_id=incident.pk)
    wanted: dict[str, Any] = {}
    if note is not None:
        wanted["note"] = note
    if assignee is not None:
        wanted["assignee"] = assignee.strip()[:254]
    if tags is not None:
        wanted["tags"] = _tags(tags)
    if links is not None:
        wanted["links"] = _links(links)
    if due_on is not None:
        wanted["due_on"] = _date(due_on)
    changed = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    if changed:
        incident_set(incident=row, **changed)
    for name, value in changed.items():
        event_append(incident=row, code=name, actor=actor, sentence=_told(name, value))
    incident.refresh_from_db()


def _told(name: str, value: Any) -> str:
    if name == "note":
        return value or "The note was removed."
    words = ", ".join(value) if isinstance(value, list) else str(value or "")
    told = {"assignee": "Assigned to", "tags": "Tags:", "links": "Links:", "due_on": "Due on"}[name]
    gone = {
        "assignee": "Assigned by default again",
        "tags": "No tags",
        "links": "No links",
        "due_on": "Not due",
    }
    return f"{told} {words}." if words else f"{gone[name]}."


def _tags(tags: Sequence[str]) -> list[str]:
    found = sorted({tag.strip().lower() for tag in tags if tag.strip()})
    if len(found) > MOST_TAGS or any(len(tag) > _LONGEST_TAG for tag in found):
        raise PerfsiteError(f"at most {MOST_TAGS} tags of {_LONGEST_TAG} characters each")
    return found


def _links(links: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(link.strip() for link in links if link.strip()))
    if len(found) > MOST_LINKS:
        raise PerfsiteError(f"at most {MOST_LINKS} links, these are {len(found)}")
    for link in found:
        if urlsplit(link).scheme not in ("http", "https") or not urlsplit(link).netloc:
            raise PerfsiteError(f"{link[:80]!r} is no web address; links begin with https:// or http://")
        if len(link) > _LONGEST_LINK:
            raise PerfsiteError(f"a link has at most {_LONGEST_LINK} characters, this one {len(link)}")
    return found


def _date(value: date | str) -> date | None:
    if isinstance(value, date) or not value:
        return value or None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise PerfsiteError(f"{value[:20]!r} is no date; write it as 2026-11-28") from None
