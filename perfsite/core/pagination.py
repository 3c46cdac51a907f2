"""Pages of a list by cursor: steady while rows arrive, and as quick on the last page as on the first."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from django.db.models import Q, QuerySet
from ninja import Schema
from pydantic import Field

from perfsite.core.errors import PerfsiteError

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


def page_ranked(rows: QuerySet[Any], cursor: Cursor, *, by: str, among: QuerySet[Any]) -> dict[str, Any]:
    """As `page_of`, with the largest `by` first and of equal ones the newest: a rank may tie, a key cannot.

    The cursor is the key of a page's last row.  Its rank is looked up `among` rows that have it for good:
    the row need not be one of `rows` any more.

    Raises:
        PerfsiteError: there is no such row.
    """
    if cursor.before is not None:
        rank = among.filter(pk=cursor.before).values_list(by, flat=True).first()
        if rank is None:
            raise PerfsiteError(f"nothing ended a page with {cursor.before}; begin again without `before`")
        rows = rows.filter(Q(**{f"{by}__lt": rank}) | Q(**{by: rank}, pk__lt=cursor.before))
    page = list(rows.order_by(f"-{by}", "-pk")[: cursor.limit + 1])
    items = page[: cursor.limit]
    return {"items": items, "next": items[-1].pk if len(page) > cursor.limit else None}


def page_of(rows: QuerySet[Any], cursor: Cursor, *, by: str = "pk") -> dict[str, Any]:
    """The page that `cursor` asks for, as the API answers it."""
    items, following = page_cut(rows, before=cursor.before, limit=cursor.limit, by=by)
    return {"items": items, "next": following}
