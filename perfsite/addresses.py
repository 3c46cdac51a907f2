"""The names of the site's addresses, and which of them a request was for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from django.http import HttpRequest
from django.urls import URLResolver, get_resolver

_METHODS: dict[str, Collection[str]] = {}


def operations_known(methods: Mapping[str, Collection[str]]) -> None:
    """Be told the methods of each operation of the API, by the name of its address."""
    _METHODS.update(methods)


def action_of(request: HttpRequest) -> str:
    """What was asked for: of several operations on one address Django names the first, the method decides."""
    first = name_of(request)
    if not request.resolver_match or request.method in _METHODS.get(first, (request.method,)):
        return first
    names = _names().get(request.resolver_match.route, ())
    return next((name for name in names if request.method in _METHODS.get(name, ())), first)


def name_of(request: HttpRequest) -> str:
    """The name that Django gives its address; empty where there is none."""
    return request.resolver_match.view_name if request.resolver_match else ""


@cache
def _names() -> dict[str, list[str]]:
    """The names of each route."""
    found: dict[str, list[str]] = {}
    for name, route in addresses(get_resolver()):
        found.setdefault(route, []).append(name)
    return found


def addresses(resolver: URLResolver, before: str = "", space: str = "") -> list[tuple[str, str]]:
    """The name and route of every address of the site."""
    found = []
    for entry in resolver.url_patterns:
        part = str(entry.pattern)
        route = before + (part.removeprefix("^") if before else part)  # as Django joins them
        if isinstance(entry, URLResolver):
            found += addresses(entry, route, f"{space}{entry.namespace}:" if entry.namespace else space)
        else:
            found.append((f"{space}{entry.name}", route))
    return found
