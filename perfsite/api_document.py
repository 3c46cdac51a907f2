"""What the OpenAPI document says of every operation: the answers they share, and who may ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from perfsite.api_who import Asked
from perfsite.core.problems import Problem, problem_body
from perfsite.dashboards.openapi import example_of

_SCHEMA = "#/components/schemas/Problem"
_ALWAYS = (400, 401, 403, 404, 413, 422, 429, 500)
_CONFLICT = 409  # of what changes something
_HEADERS = {
    401: {"WWW-Authenticate": {"description": "The scheme that would do.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
}
_SCHEMES = {
    "Bearer": {"type": "http", "scheme": "bearer", "description": "A token of `manage.py token add`."},
    "Person": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "A logged-in person's session; writes need the header X-CSRFToken, as forms do.",
    },
}
_OPEN = "Anyone"  # the scheme of operations that strangers may call


def document_complete(document: dict[str, Any], who: Mapping[str, Asked]) -> dict[str, Any]:
    """The document, with the errors that every operation can answer, whom it is for, and examples.

    `who` is by operation id.
    """
    schemas = document["components"].setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    document["components"]["securitySchemes"] = _SCHEMES
    for operations in document["paths"].values():
        for method, operation in operations.items():
            _examples_add(document, operation)
            _errors_add(operation["responses"], _ALWAYS if method == "get" else (*_ALWAYS, _CONFLICT))
            _security_tell(operation, who[operation["operationId"]])
    return document


def _errors_add(responses: dict[Any, Any], statuses: Sequence[int]) -> None:
    for status in statuses:
        responses.setdefault(status, {"description": HTTPStatus(status).phrase})
    for status, answer in responses.items():
        if int(status) < HTTPStatus.BAD_REQUEST:
            continue
        example = problem_body(int(status), "what happened, to which thing")
        answer["content"] = {"application/json": {"schema": {"$ref": _SCHEMA}, "example": example}}
        if headers := _HEADERS.get(int(status)):
            answer["headers"] = headers


def _examples_add(document: dict[str, Any], operation: dict[str, Any]) -> None:
    """An example of the body and of what is answered when all goes well."""
    told = [operation.get("requestBody", {})]
    told += [
        answer
        for status, answer in operation["responses"].items()
        if int(status) < HTTPStatus.MULTIPLE_CHOICES
    ]
    for one in told:
        content = one.get("content", {}).get("application/json")
        if content and content.get("schema"):
            content["example"] = example_of(document, content["schema"])


def _security_tell(operation: dict[str, Any], asked: Asked) -> None:
    """Whose token and which role will do; strangers' operations have an empty alternative."""
    roles = {"Bearer": list(asked.purposes), "Person": [asked.role] if asked.role else []}
    named = operation.get("security", [])
    operation["security"] = [{} if _OPEN in one else {name: roles[name] for name in one} for one in named]
