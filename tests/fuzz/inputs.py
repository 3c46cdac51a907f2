"""Bad input from good: a right document with some of it exchanged, cut or left out."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

_LONG = 100_000
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, 10**400, -(2**64)]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "\x00", "\ud800", "\u202e", "../../etc/passwd", "0" * 40, "a" * _LONG, "1e999", "NaN", "%s%n"]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
    st.integers(1, 2000).map(lambda depth: json.loads("[" * min(depth, 500) + "]" * min(depth, 500))),
    st.builds(lambda: [{} for _ in range(3000)]),
)


def paths_of(value: Any, before: tuple = ()) -> list[tuple]:
    """The way to every part of a document."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [before, *(path for key, part in below for path in paths_of(part, (*before, key)))]


@st.composite
def documents(draw: st.DrawFn, right: list[Any]) -> Any:
    """One of the right documents after up to three changes."""
    value = copy.deepcopy(draw(st.sampled_from(right)))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(paths_of(value)))
        junk = copy.deepcopy(draw(JUNK))  # the next change may be in it
        if not path:
            value = junk if draw(st.integers(0, 9)) == 0 else value
            continue
        place = value
        for key in path[:-1]:
            place = place[key]
        if draw(st.booleans()):
            place[path[-1]] = junk
        elif isinstance(place, dict):
            place[draw(st.text(max_size=8))] = place.pop(path[-1])
        else:
            del place[path[-1]]
    return value


@st.composite
def bodies(draw: st.DrawFn, right: list[Any]) -> bytes:
    """A document as JSON, sometimes no JSON any more."""
    text = json.dumps(draw(documents(right))).encode()
    return draw(torn(text)) if draw(st.integers(0, 3)) == 0 else text


@st.composite
def torn(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with a piece exchanged for other bytes."""
    first = draw(st.integers(0, len(data)))
    last = draw(st.integers(first, min(len(data), first + 50)))
    return data[:first] + draw(st.binary(max_size=20)) + data[last:]
