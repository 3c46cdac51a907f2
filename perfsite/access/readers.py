"""Which projects a reader sees: all when known, the public ones otherwise."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from perfsite.access.auth import sees_all
from perfsite.core.errors import NotFoundError


def rows_seen(request: HttpRequest, rows: QuerySet[Any], *, project: str = "project") -> QuerySet[Any]:
    """`rows` less those of projects the reader may not see; `project` is the path to the project."""
    if sees_all(request):
        return rows
    prefix = f"{project}__" if project else ""
    return rows.filter(**{f"{prefix}is_public": True})


def row_seen(request: HttpRequest, rows: QuerySet[Any], *, project: str = "project", **wanted: Any) -> Any:
    """The one row wanted.

    Raises:
        NotFoundError: there is none, or not for this reader: the answer does not tell which.
    """
    row = rows_seen(request, rows, project=project).filter(**wanted).first()
    if row is None:
        what = ", ".join(f"{name} {value!r}" for name, value in wanted.items())
        raise NotFoundError(f"no {rows.model._meta.verbose_name} with {what}, or not for this reader")
    return row
