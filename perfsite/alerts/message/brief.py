"""An incident in the few characters of a commit status (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LEAST_NAME = 8  # characters of a layer's name that still tell which it is
_BACK = 20  # how far a cut goes back for the end of a word


def brief_of(payload: Mapping[str, Any], *, most: int) -> str:
    """The first sentence of an incident's payload, and what fits of the layer that moved most.

    `most` is in characters.  A layer whose name would not be known again is left out.
    """
    headline = payload["headline"]
    layer = payload.get("layer") if payload["state"] == "regressed" else None
    said = headline.rstrip(".")
    for words in _layer_words(layer) if layer else ():
        if len(said) + len(words) + 2 <= most:
            return f"{said}; {words}"
    if layer and layer["change"]:
        room = most - len(f"{said}; … {layer['change']}")
        if room >= _LEAST_NAME:  # of a dotted name the end tells more
            return f"{said}; …{layer['names'][-room:]} {layer['change']}"
    return text_cut(headline, most)


def _layer_words(layer: Mapping[str, str]) -> Iterator[str]:
    """The longest first: how much it moved with its share of the change, and what differs in it."""
    names, differs = layer["names"], layer["differs"]
    share = f" ({layer['share']})" if layer["share"] else ""
    moved = f"{names} {layer['change']}{share}" if layer["change"] else ""
    if moved and differs:
        yield f"{moved}, {differs}"
    if moved:
        yield moved
    if differs:
        yield f"{names}: {differs}"
    if moved:
        yield f"{names} {layer['change']}"


def text_cut(text: str, most: int) -> str:
    """`text`, or its beginning with an ellipsis: at the end of a word where one is near."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    space = cut.rfind(" ")
    if not text[most - 1].isspace() and space >= most - 1 - _BACK:
        cut = cut[:space]
    return f"{cut.rstrip(' ,;:([')}…"
