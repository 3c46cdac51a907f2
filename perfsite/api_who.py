"""Whom each operation of the API is for: the purposes of tokens, and the role of people."""

from __future__ import annotations

from dataclasses import dataclass

from ninja import NinjaAPI
from ninja.operation import Operation

from perfsite.access.auth import Bearer
from perfsite.access.rights import RIGHTS
from perfsite.access.roles import Role
from perfsite.permissions import RULES


@dataclass(frozen=True)
class Asked:
    """The purposes of which a token must have one, and the least role of a person, empty for none."""

    purposes: tuple[str, ...]
    role: str


def who_may(api: NinjaAPI) -> dict[str, Asked]:
    """By the id that the operation has in the document."""
    return {
        api.get_openapi_operation_id(operation): _asked(operation)
        for router in api._get_bound_routers()
        for view in router.path_operations.values()
        for operation in view.operations
    }


def methods_of(api: NinjaAPI) -> dict[str, tuple[str, ...]]:
    """The methods of each operation, by the name of its address."""
    return {
        f"{api.urls_namespace}:{operation.view_func.__name__}": tuple(operation.methods)
        for router in api._get_bound_routers()
        for view in router.path_operations.values()
        for operation in view.operations
    }


def _asked(operation: Operation) -> Asked:
    rights = [one.right for one in operation.auth_callbacks if isinstance(one, Bearer)]
    rule = RULES[f"api-v1:{operation.view_func.__name__}"]
    role = rule.read if "GET" in operation.methods else rule.write
    return Asked(
        purposes=tuple(sorted(RIGHTS[rights[0]])) if rights else (),
        role=role.name.lower() if role is not Role.NONE else "",
    )
