"""Which projects a caller reaches: a token its own, people all, and everybody the public ones to read."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from perfsite.access.auth import sees_all, token_of
from perfsite.access.roles import projects_of
from perfsite.core.errors import ForbiddenError, NotFoundError


def rows_seen(request: HttpRequest, rows: QuerySet[Any], *, project: str = "project") -> QuerySet[Any]:
    """`rows` less those of projects the reader may not see; `project` is the path to the project."""
    if sees_all(request):
        return rows
    prefix = f"{project}__" if project else ""
    seen = Q(**{f"{prefix}is_public": True})
    token = token_of(request)
    own = [token.project_id] if token is not None else projects_of(request.user)
    if own:
        seen |= Q(**{f"{prefix}id__in": own})
    return rows.filter(seen)


def row_seen(request: HttpRequest, rows: QuerySet[Any], *, project: str = "project", **wanted: Any) -> Any:
    """The one row wanted.

    Raises:
        NotFoundError: there is none, or not for this reader: the answer does not tell which.
    """
    row = rows_seen(request, rows, project=project).filter(**wanted).first()
    if row is None:
        raise _missing(rows, wanted)
    return row


def row_owned(request: HttpRequest, rows: QuerySet[Any], *, project: str = "project", **wanted: Any) -> Any:
    """The one row wanted, of a project that the caller may change.

    Raises:
        NotFoundError: as `row_seen`.
        ForbiddenError: it can be read, being public, and the token is of another project.
    """
    row = row_seen(request, rows, project=project, **wanted)
    token = token_of(request)
    if token is not None and token.project_id is not None:
        own = f"{project}__id" if project else "id"
        if not rows.filter(pk=row.pk, **{own: token.project_id}).exists():
            raise ForbiddenError(
                f"token {token.name!r} is of another project; this needs one of the project's own"
            )
    return row


def site_wide(request: HttpRequest) -> None:
    """Let pass who may read what belongs to no project.

    Raises:
        ForbiddenError: the token is of one project.
    """
    token = token_of(request)
    if token is not None and token.project_id is not None:
        raise ForbiddenError(f"token {token.name!r} is of one project; this needs one of the whole site")


def _missing(rows: QuerySet[Any], wanted: dict[str, Any]) -> NotFoundError:
    what = ", ".join(f"{name} {value!r}" for name, value in wanted.items())
    return NotFoundError(f"no {rows.model._meta.verbose_name} with {what}, or not for this reader")
