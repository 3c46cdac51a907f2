"""What the OpenAPI document says of every operation: the answers they share, and who may ask."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from perfsite.core.problems import Problem, problem_body

_SCHEMA = "#/components/schemas/Problem"
_ALWAYS = (400, 401, 403, 404, 413, 422, 429, 500)
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


def document_complete(document: dict[str, Any]) -> dict[str, Any]:
    """The document, with the errors that every operation can answer and the two ways to be known."""
    schemas = document["components"].setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    document["components"]["securitySchemes"] = _SCHEMES
    for operations in document["paths"].values():
        for operation in operations.values():
            _errors_add(operation["responses"])
            _security_open(operation)
    return document


def _errors_add(responses: dict[Any, Any]) -> None:
    for status in _ALWAYS:
        responses.setdefault(status, {"description": HTTPStatus(status).phrase})
    for status, answer in responses.items():
        if int(status) < HTTPStatus.BAD_REQUEST:
            continue
        example = problem_body(int(status), "what happened, to which thing")
        answer["content"] = {"application/json": {"schema": {"$ref": _SCHEMA}, "example": example}}
        if headers := _HEADERS.get(int(status)):
            answer["headers"] = headers


def _security_open(operation: dict[str, Any]) -> None:
    """Strangers' operations have an empty alternative, as OpenAPI writes it."""
    named = operation.get("security", [])
    operation["security"] = [{} if _OPEN in one else one for one in named]
