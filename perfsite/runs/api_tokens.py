"""The API of a project's tokens: list, add (its secret is shown once), revoke."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from perfsite.access.auth import MANAGERS, actor_of, token_of
from perfsite.access.models import Token
from perfsite.access.readers import row_owned
from perfsite.access.services import secret_sha256, token_add, token_revoke
from perfsite.core.errors import ForbiddenError, NotFoundError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import RowId
from perfsite.runs.models import Project

router = Router(auth=MANAGERS, tags=["tokens"])


class TokenIn(Schema):
    """A new token of the project; without `days` it lives until it is revoked."""

    name: str = Field(min_length=1, max_length=100, examples=["ci"])
    purpose: str = Field(max_length=10, examples=["report"])
    days: int | None = Field(None, ge=1, le=3650, examples=[90])


class TokenOut(Schema):
    """A token; its secret is nowhere.  `state` is living, revoked or expired."""

    id: int
    name: str = Field(examples=["ci"])
    purpose: str = Field(examples=["report"])
    state: str = Field(examples=["living"])
    created_by: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class TokenMadeOut(TokenOut):
    """A token that was made, with its secret, which no other answer shows."""

    secret: str = Field(examples=["ps_report_c2hvd24gdGhpcyBvbmNl"])


def _project(request: HttpRequest, slug: str) -> Project:
    found: Project = row_owned(request, Project.objects.all(), project="", slug=slug)
    return found


@router.get("/projects/{slug:slug}/tokens", response=Page[TokenOut])
def tokens(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The project's own tokens, also those that were revoked."""
    return page_of(Token.objects.filter(project_id=_project(request, slug).pk), cursor)


@router.post("/projects/{slug:slug}/tokens", response={201: TokenMadeOut})
def token_new(request: HttpRequest, slug: str, body: TokenIn) -> Status:
    """Make a token of the project; only a person makes one that may manage."""
    project = _project(request, slug)
    if body.purpose == "manage" and token_of(request) is not None:
        raise ForbiddenError("a token makes none that may manage: a person does, on the page Tokens")
    secret = token_add(
        name=body.name,
        purpose=body.purpose,
        project_id=project.pk,
        expires_at=timezone.now() + timedelta(days=body.days) if body.days else None,
        created_by=actor_of(request),
    )
    made = Token.objects.get(sha256=secret_sha256(secret))
    made.secret = secret  # type: ignore[attr-defined]  # for this answer alone
    return Status(201, made)


@router.delete("/projects/{slug:slug}/tokens/{token_id}", response=TokenOut)
def token_end(request: HttpRequest, slug: str, token_id: RowId) -> Token:
    """Revoke a token, at once; it stays in the list."""
    project = _project(request, slug)
    found = Token.objects.filter(project_id=project.pk, pk=token_id).first()
    if found is None:
        raise NotFoundError(f"{slug} has no token {token_id}; /tokens lists those that are")
    if found.revoked_at is None:
        token_revoke(name=found.name, project_id=project.pk)
        found.refresh_from_db()
    return found
