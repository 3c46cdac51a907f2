"""Pages of a list by cursor: steady while rows arrive, and as quick on the last page as on the first."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from django.db.models import QuerySet
from ninja import Schema
from pydantic import Field

LIMIT_DEFAULT = 50
LIMIT_MAX = 500
CURSOR_MAX = 2**63 - 1

Item = TypeVar("Item")


class Cursor(Schema):
    """Which page is wanted."""

    before: int | None = Field(
        None, ge=0, le=CURSOR_MAX, description="`next` of the page before; the newest items when not given."
    )
    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="How many items at most.")


class Page(Schema, Generic[Item]):
    """Items, the newest first; pass `next` as `before` for the next page, null means that there is none."""

    items: list[Item]
    next: int | None


def page_cut(
    rows: QuerySet[Any], *, before: int | None, limit: int = LIMIT_DEFAULT, by: str = "pk"
) -> tuple[list[Any], int | None]:
    """The rows of the largest `by` below `before`, and the cursor of the next page or None at the end.

    `by` is a column of whole numbers, each once among `rows`.
    """
    limit = min(max(limit, 1), LIMIT_MAX)
    if before is not None:
        rows = rows.filter(**{f"{by}__lt": before})
    page = list(rows.order_by(f"-{by}")[: limit + 1])
    if len(page) <= limit:
        return page, None
    return page[:limit], getattr(page[limit - 1], by)


def page_of(rows: QuerySet[Any], cursor: Cursor, *, by: str = "pk") -> dict[str, Any]:
    """The page that `cursor` asks for, as the API answers it."""
    items, following = page_cut(rows, before=cursor.before, limit=cursor.limit, by=by)
    return {"items": items, "next": following}
