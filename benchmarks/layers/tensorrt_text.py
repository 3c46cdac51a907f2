"""The inspector's text, as the builder writes it into its log: `Layers:` and a line for each.

A machine without a GPU builds engines of TensorRT-RTX but cannot load them to ask its inspector; the log
of the build has the same words.
"""

from __future__ import annotations

import re
from typing import Any

_HEAD = "Layers:"
_LAYER = "Name: "
_KEY = re.compile(r"\s*([A-Z][A-Za-z/ ]*?): ?")
_SCALAR = re.compile(r"(.*?)(?=, [A-Z][A-Za-z/ ]*: | ?\}|$)")
_METADATA = "Metadata: "


def text_is(text: str) -> bool:
    """Whether the text has the lines of an engine's layers."""
    return any(True for _ in _lines(text))


def text_parse(text: str) -> dict[str, Any]:
    """The layers in the form of the inspector's JSON."""
    return {"Layers": [_row(line) for line in _lines(text)]}


def _lines(text: str) -> list[str]:
    """The lines behind the last `Layers:`, each of which is a layer."""
    _, head, behind = text.rpartition(f"{_HEAD}\n")
    found = []
    for line in behind.split("\n") if head else ():  # not splitlines: it splits at TensorRT's own separators
        if not line.startswith(_LAYER):
            break
        found.append(line)
    return found


def _row(line: str) -> dict[str, Any]:
    fields, sign, metadata = line.partition(f", {_METADATA}")
    row, _ = _fields(fields, 0)
    return {**row, "Metadata": metadata} if sign else row


def _fields(text: str, place: int) -> tuple[dict[str, Any], int]:
    """`Key: value, Key: value` up to a closing brace or the end."""
    row: dict[str, Any] = {}
    while (key := _KEY.match(text, place)) is not None:
        row[key.group(1)], place = _value(text, key.end())
        if text[place : place + 1] != ",":
            break
        place += 1
    return row, place


def _value(text: str, place: int) -> tuple[Any, int]:
    if text[place : place + 1] == "[":
        return _list(text, place + 1)
    scalar = _SCALAR.match(text, place)
    assert scalar is not None  # it matches nothing at all, too
    return scalar.group(1).strip(), scalar.end()


def _list(text: str, place: int) -> tuple[list[Any], int]:
    """Tensors in braces, or numbers."""
    end = text.find("]", place)
    opening = text.find("{", place)
    if opening < 0 or end < opening:
        numbers = text[place:end].strip()
        return [int(one) for one in numbers.split(",") if one.strip().lstrip("-").isdigit()], end + 1
    rows = []
    while text[place : place + 3].lstrip(" ,").startswith("{"):
        row, place = _fields(text, text.index("{", place) + 1)
        rows.append(row)
        place = text.index("}", place) + 1
    return rows, text.index("]", place) + 1
