"""Whose addresses a reader may see: those of a public project's people are not for strangers."""

from __future__ import annotations

import re

from django.http import HttpRequest

from perfsite.access.auth import token_of
from perfsite.access.roles import Role, role_in

_ADDRESS = re.compile(r"([^\s@<>,;:]+)@[^\s@<>,;:]+\.\w+")


def is_insider(request: HttpRequest, project_id: int) -> bool:
    """Whether a token reaches the project itself, or a person has a role in it; asked once a request."""
    known: dict[int, bool] = request.__dict__.setdefault("_insider_of", {})
    if project_id not in known:
        token = token_of(request)
        known[project_id] = (
            token.project_id in (None, project_id)
            if token is not None
            else role_in(request.user, project_id) >= Role.VIEWER
        )
    return known[project_id]


def addresses_hidden(text: str) -> str:
    """A text with the hosts of its e-mail addresses left out: `ada@…`."""
    return _ADDRESS.sub(r"\1@…", text)
