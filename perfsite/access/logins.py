"""Logins are in the audit log, those that failed too."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from perfsite.access.audit import audit_note
from perfsite.access.limits import address_of, login_failure_count


def logged_in(*, request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Somebody logged in."""
    audit_note(actor=user.get_username(), action="login", address=_address(request))


def login_failed(*, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Somebody gave a wrong password, or was shut out."""
    audit_note(actor=str(credentials.get("username", "")), action="login-failed", address=_address(request))
    if request is not None:
        login_failure_count(request)


def _address(request: HttpRequest | None) -> str:
    return address_of(request) if request else ""
