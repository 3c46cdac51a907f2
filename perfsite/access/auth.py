"""Who is asking the API: tokens for machines, the session for people, and nobody for public projects."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.security import HttpBearer
from ninja.security.apikey import APIKeyCookie

from perfsite.access.models import Token
from perfsite.access.services import token_check


class WorkerToken(HttpBearer):
    """Workers only: `Authorization: Bearer ...` with a token of purpose `worker`."""

    def authenticate(self, request: HttpRequest, token: str) -> Token | None:
        """The token, or None (401)."""
        return token_check(secret=token, purposes=frozenset({"worker"}))


class ReaderToken(HttpBearer):
    """Machines that read; a token of purpose `write` reads too."""

    def authenticate(self, request: HttpRequest, token: str) -> Token | None:
        """The token, or None (401)."""
        return token_check(secret=token, purposes=frozenset({"read", "write"}))


class WriterToken(HttpBearer):
    """Machines that order runs."""

    def authenticate(self, request: HttpRequest, token: str) -> Token | None:
        """The token, or None (401)."""
        return token_check(secret=token, purposes=frozenset({"write"}))


class Person(APIKeyCookie):
    """A logged-in person, by the session cookie; writes need the CSRF token as forms do."""

    param_name = settings.SESSION_COOKIE_NAME

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        """The user, or None (401)."""
        return request.user if request.user.is_authenticated else None


def anyone(request: HttpRequest) -> str:
    """Let the view decide: it shows an unknown reader public projects only."""
    return "anyone"


READERS = [ReaderToken(), Person(), anyone]
WRITERS = [WriterToken(), Person()]


def sees_all(request: HttpRequest) -> bool:
    """Whether the reader may see projects that are not public."""
    return getattr(request, "auth", "anyone") != "anyone" or request.user.is_authenticated
