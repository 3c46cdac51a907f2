"""Every page has a twin for machines: `?format=csv` or `?format=json` beside its other parameters.

A view hands over the tables that the page shows; this is the one place that writes them as CSV (RFC 4180) or
JSON.  A page with several tables gives the first as CSV, another with `&table=NAME`, and all of them as JSON.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from perfsite.core.errors import NotFoundError

_FORMATS = ("csv", "json")
# a cell that begins so is a formula to a spreadsheet; what a watched repository sent must not be one
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Table:
    """A table of a page: its name, its columns (with the unit where there is one), its rows."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]


def page_render(
    request: HttpRequest, template: str, context: dict[str, Any], *, tables: Callable[[], Sequence[Table]]
) -> HttpResponse:
    """The page, or its twin when the address asks for one; `tables` is called for a twin only.

    Raises:
        NotFoundError: there is no such format or table.
    """
    wanted = request.GET.get("format", "")
    if not wanted:
        return render(request, template, {**context, "twins": twin_links(request)})
    if wanted not in _FORMATS:
        raise NotFoundError(f"There is no format {wanted!r}: a page comes as {' or '.join(_FORMATS)}.")
    found = tables()
    if wanted == "json":
        body = {
            table.name: [dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in found
        }
        return JsonResponse(body)
    name = request.GET.get("table") or found[0].name
    table = next((table for table in found if table.name == name), None)
    if table is None:
        names = ", ".join(table.name for table in found)
        raise NotFoundError(f"This page has no table {name!r}; it has {names}.")
    answer = HttpResponse(table_csv(table), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'inline; filename="{table.name}.csv"'
    return answer


def twin_links(request: HttpRequest) -> dict[str, str]:
    """The addresses of a page's twins, its own parameters kept."""
    query = request.GET.copy()
    links = {}
    for name in _FORMATS:
        query["format"] = name
        links[name] = f"{request.path}?{query.urlencode()}"
    return links


def table_csv(table: Table) -> str:
    """A table as CSV with a row of names."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.columns)
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
