"""Who is asking the API: tokens for machines, the session for people, and nobody for public projects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.errors import AuthenticationError
from ninja.security import HttpBearer
from ninja.security.apikey import APIKeyCookie

from perfsite.access.models import Token
from perfsite.access.rights import RIGHTS
from perfsite.access.roles import sees_every_project
from perfsite.access.services import token_find
from perfsite.core.errors import ForbiddenError


class Bearer(HttpBearer):
    """A machine: `Authorization: Bearer ...` with a token whose purpose gives the right `right`."""

    def __init__(self, right: str) -> None:
        super().__init__()
        self.right = right

    def authenticate(self, request: HttpRequest, token: str) -> Token:
        """The token.

        Raises:
            AuthenticationError: it is unknown, revoked or has expired.
            ForbiddenError: its purpose is another one.
        """
        found = token_find(secret=token)
        if found is None:
            raise AuthenticationError(
                message="no living token has this secret: it is unknown, revoked or expired"
            )
        if found.purpose not in RIGHTS[self.right]:
            wanted = " or ".join(sorted(RIGHTS[self.right]))
            raise ForbiddenError(f"token {found.name!r} is of purpose {found.purpose}; this needs {wanted}")
        return found


class Person(APIKeyCookie):
    """A logged-in person, by the session cookie; writes need the CSRF token as forms do."""

    param_name = settings.SESSION_COOKIE_NAME

    def _get_key(self, request: HttpRequest) -> str | None:
        # who sends no cookie is told to log in, not that a CSRF token is missing
        return super()._get_key(request) if self.param_name in request.COOKIES else None

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        """The user, or None (401)."""
        return request.user if request.user.is_authenticated else None


class Anyone:
    """Lets the view decide: it shows an unknown reader public projects only."""

    openapi_security_schema: dict[str, str] = {}  # it is listed, as the alternative that asks for nothing

    def __call__(self, request: HttpRequest) -> str:
        """Always."""
        return "anyone"


WORKERS = Bearer("work")
MACHINES_AND_PEOPLE: list[Callable] = [Bearer("read"), Person()]
READERS: list[Callable] = [*MACHINES_AND_PEOPLE, Anyone()]
REPORTERS: list[Callable] = [Bearer("report"), Person()]
DELIVERERS: list[Callable] = [Bearer("deliver"), Person()]
TRIAGERS: list[Callable] = [Bearer("triage"), Person()]
MANAGERS: list[Callable] = [Bearer("manage"), Person()]


def token_of(request: HttpRequest) -> Token | None:
    """The token a request came with; None for people and strangers."""
    found = getattr(request, "auth", None)
    return found if isinstance(found, Token) else None


def worker_token(request: HttpRequest) -> Token:
    """The token of a worker's request, which `WORKERS` let in."""
    found: Token = request.auth  # type: ignore[attr-defined]
    return found


def actor_of(request: HttpRequest) -> str:
    """Who did it, for an event log: the person's name, or the token's."""
    token = token_of(request)
    return f"token {token.name}" if token else request.user.get_username()


def sees_all(request: HttpRequest) -> bool:
    """Whether the reader may see every project, also those that are not public."""
    token = token_of(request)
    return token.project_id is None if token else sees_every_project(request.user)
