"""The audit log: one row for each change that somebody made."""

from __future__ import annotations

import getpass
from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from perfsite.access.models import AuditEntry
from perfsite.core.text import text_clean

_HIDDEN = ("password", "secret", "token", "key", "credential")
_LONGEST = 500


def audit_note(
    *, actor: str, action: str, target: str = "", detail: Mapping[str, Any] | None = None, address: str = ""
) -> AuditEntry:
    """Append an entry; values whose name sounds of a secret are replaced, long ones cut."""
    return AuditEntry.objects.create(
        actor=actor[:200],
        action=action[:100],
        target=text_clean(target)[:300],
        detail=text_clean(_plain(detail or {})),
        address=address[:50],
    )


def audit_tell(request: HttpRequest, **detail: Any) -> None:
    """Have the entry of this request say more than its form does: what was removed, what a JSON body held."""
    request.__dict__.setdefault("audit_detail", {}).update(detail)


def audit_told(request: HttpRequest) -> dict[str, Any]:
    """The detail of this request's entry."""
    return request.POST.dict() | request.__dict__.get("audit_detail", {})


def audit_console(*, action: str, target: str = "", **detail: Any) -> AuditEntry:
    """As `audit_note`, for a command: its actor is the system's user."""
    return audit_note(actor=f"console {_system_user()}", action=action, target=target, detail=detail)


def audit_find(*, text: str = "", actions: Collection[str] = ()) -> QuerySet[AuditEntry]:
    """The entries, the newest first; `text` narrows to part of an actor or an action, or to `actions`."""
    rows = AuditEntry.objects.order_by("-pk")
    if not text:
        return rows
    wanted = Q(actor__icontains=text) | Q(action__icontains=text.replace(" ", "-"))
    return rows.filter(wanted | Q(action__in=actions))


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


def _plain(values: Mapping[str, Any]) -> dict[str, str]:
    shown = {name: value for name, value in values.items() if name != "csrfmiddlewaretoken"}
    return {
        name: "(hidden)" if any(word in name.lower() for word in _HIDDEN) else str(value)[:_LONGEST]
        for name, value in shown.items()
    }
