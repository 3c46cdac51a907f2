"""Taking parts of a JSON document, with a sentence when one is missing or another thing: pure."""

from __future__ import annotations

import json
from typing import Any

from perfsite.client.measured import FormatError


def document(text: str, *, what: str) -> Any:
    """The JSON document.

    Raises:
        FormatError: it is none.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise FormatError(f"this is not {what}: no JSON ({error})") from None


def part(value: Any, name: str, kind: type, *, where: str) -> Any:
    """`value[name]`, of this kind.

    Raises:
        FormatError: it is missing, or of another kind.
    """
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind) or isinstance(found, bool):
        raise FormatError(f"{where} has no {name!r} that is a {kind.__name__}; is it a file of this format?")
    return found


def number(value: Any, name: str, *, where: str) -> float:
    """`value[name]` as a number.

    Raises:
        FormatError: it is missing or no number.
    """
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, int | float) or isinstance(found, bool) or found != found:
        raise FormatError(f"{where} has no number {name!r}; is it a file of this format?")
    return float(found)
