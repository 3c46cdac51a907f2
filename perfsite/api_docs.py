"""`/api/v1/docs`: the API's operations as a page, made from its own document, without a script."""

from __future__ import annotations

from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from perfsite.api import api
from perfsite.dashboards.openapi import Operation, operations_by_tag


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """Every operation, by subject."""
    return render(request, "dashboards/api_docs.html", {"groups": _groups()})


@cache
def _groups() -> list[tuple[str, list[Operation]]]:
    return operations_by_tag(api.get_openapi_schema())
