"""Pages of a list by cursor: steady while rows arrive, and as quick on the last page as on the first."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

LIMIT_DEFAULT = 50
LIMIT_MAX = 500


def page_cut(
    rows: QuerySet[Any], *, before: int | None, limit: int = LIMIT_DEFAULT
) -> tuple[list[Any], int | None]:
    """The newest rows (by id) older than `before`, and the cursor of the next page or None at the end."""
    limit = min(max(limit, 1), LIMIT_MAX)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    page = list(rows.order_by("-pk")[: limit + 1])
    if len(page) <= limit:
        return page, None
    return page[:limit], page[limit - 1].pk
