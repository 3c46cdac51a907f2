"""The audit log: one row for each change that somebody made."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.http.request import RawPostDataException

from perfsite.access.models import AuditEntry
from perfsite.core.text import text_clean

_HIDDEN = ("password", "secret", "token", "key", "credential")
_LONGEST = 500
_NAME_LONGEST = 60
_FIELDS_MOST = 30
_BODY_LONGEST = 64 * 1024
# of a body: too large, too many fields, no form, cut off, no JSON, too deep
_UNREADABLE = (SuspiciousOperation, MultiPartParserError, OSError, ValueError, RecursionError)
# who one is at an address, and what follows its path, may be secrets
_URL_SECRETS = re.compile(r"(?<=://)[^/@\s]+@|\?[^\s\"']+(?=$|[\s\"'])")


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
    """The detail of this request's entry: its form's or its JSON body's fields, and what its view told.

    A body that its view did not ask for may be anything: what cannot be read keeps no change out of the log.
    """
    try:
        told = request.POST.dict() | _body_told(request)
    except _UNREADABLE as error:
        told = {"body": f"unreadable: {type(error).__name__}"}
    return told | request.__dict__.get("audit_detail", {})


def _body_told(request: HttpRequest) -> dict[str, Any]:
    """The plain values of a JSON body; of what is nested only the names, it may hold a secret."""
    if request.content_type != "application/json":
        return {}
    try:
        body = request.body
    except RawPostDataException:  # it was read as a stream
        return {}
    told = json.loads(body) if len(body) <= _BODY_LONGEST else {"bytes": len(body)}
    if not isinstance(told, dict):
        return {}
    return {name[:_NAME_LONGEST]: _outline(value) for name, value in list(told.items())[:_FIELDS_MOST]}


def _outline(value: Any) -> Any:
    if isinstance(value, dict):
        return f"({', '.join(value)})"
    if isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        return f"({len(value)} of them)"
    return value


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
        name: "(hidden)" if any(word in name.lower() for word in _HIDDEN) else _shown(value)
        for name, value in shown.items()
    }


def _shown(value: Any) -> str:
    text = str(value)
    return (_URL_SECRETS.sub("", text) if "://" in text else text)[:_LONGEST]
