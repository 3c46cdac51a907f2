"""An OpenAPI document as rows for a page: pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DEEPEST = 8
_FORMATS = {
    "date-time": "2026-11-28T02:00:00Z",
    "date": "2026-11-28",
    "time": "02:00:00",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


@dataclass(frozen=True)
class Operation:
    """One operation; `fields` are (name, type, note) of parameters and body, `answers` (status, words).

    `example` is of the body, `told` of the answer; empty where there is none.
    """

    method: str
    path: str
    words: str
    who: str
    fields: list[tuple[str, str, str]]
    answer: str
    told: str
    answers: list[tuple[str, str]]
    example: str


def operations_by_tag(document: Mapping[str, Any]) -> list[tuple[str, list[Operation]]]:
    """The operations in the document's order, grouped by their first tag."""
    groups: dict[str, list[Operation]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, fields in operations.items():
            tag = (fields.get("tags") or ["other"])[0]
            groups[tag].append(_operation(document, path, method, fields))
    return list(groups.items())


def _operation(document: Mapping[str, Any], path: str, method: str, fields: Mapping[str, Any]) -> Operation:
    schema = _body(fields)
    rows = [
        (one["name"], type_words(one["schema"]), one.get("description", "") or f"in the {one['in']}")
        for one in fields["parameters"]
    ]
    body = _resolved(document, schema)
    rows += [
        (name, type_words(row), row.get("description", "") or "in the body")
        for name, row in body.get("properties", {}).items()
    ]
    good = [answer for status, answer in fields["responses"].items() if int(status) < 300]
    contents = [one for answer in good for one in answer.get("content", {}).values()]
    told = contents[0].get("schema", {}) if contents else {}
    return Operation(
        method=method.upper(),
        path=path,
        words=fields.get("description", ""),
        who=_who(fields.get("security", [])),
        fields=rows,
        answer=type_words(told) if told else "",
        told=json.dumps(example_of(document, told), indent=2) if told else "",
        answers=[(str(status), answer["description"]) for status, answer in fields["responses"].items()],
        example=json.dumps(example_of(document, schema), indent=2) if schema else "",
    )


def _who(security: list[Mapping[str, list[str]]]) -> str:
    words = {"Bearer": "a token", "Person": "a logged-in person"}
    known = [
        words.get(name, name) + (f" ({' or '.join(asked)})" if asked else "")
        for one in security
        for name, asked in one.items()
    ]
    return ", ".join([*known, *(["anyone, of public projects"] if {} in security else [])])


def _body(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    content = fields.get("requestBody", {}).get("content", {})
    return content.get("application/json", {}).get("schema", {})


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    return document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]


def type_words(schema: Mapping[str, Any]) -> str:
    """A schema in a word or two: `integer or null`, `list of BuildOut`."""
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(type_words(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {type_words(schema.get('items', {}))}"
    return schema.get("format") or schema.get("type") or "anything"


def example_of(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> Any:
    """An example of a schema: its own where it has one, else put together from its fields'."""
    schema = _resolved(document, schema)
    for name in ("examples", "example"):
        if name in schema:
            return schema[name][0] if name == "examples" else schema[name]
    if "default" in schema:
        return schema["default"]
    if "anyOf" in schema:
        return example_of(document, schema["anyOf"][0], depth)
    if depth > _DEEPEST:
        return None
    if schema.get("type") == "array":
        kinds = schema.get("prefixItems") or [schema.get("items", {})]
        return [example_of(document, kind, depth + 1) for kind in kinds]
    if schema.get("type") == "object":
        return {
            name: example_of(document, row, depth + 1) for name, row in schema.get("properties", {}).items()
        }
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if schema.get("type") == "string":
        return _FORMATS.get(schema.get("format", ""), "x" * schema.get("minLength", 0))
    return {"integer": 1, "number": 1.0, "boolean": False, "null": None}.get(schema.get("type", ""), "")
