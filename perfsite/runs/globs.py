"""Path and branch patterns of `perfsite.toml`: pure, and linear in the pattern times the path.

A pattern names the whole path from the root.  `*` is any run of characters but `/`, `?` one of
them, and `**`, alone between slashes, any number of folders; a pattern that ends in `/` is everything
below that folder.  Patterns come from watched repositories, so none may cost exponential time: a star
is an atomic group that takes its leftmost match, which is enough for globs (CPython's
`fnmatch.translate` does the same).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

MAX_LENGTH = 200
_REFUSED = re.compile(r"[\x00-\x1f\x7f\[\]{}!\\]")


def glob_compile(pattern: str) -> re.Pattern[str]:
    """The pattern as an expression to be used with `fullmatch`.

    Raises:
        ValueError: it is empty, too long, absolute, or uses a sign that has no meaning here.
    """
    if not pattern or len(pattern) > MAX_LENGTH:
        raise ValueError(f"a pattern has 1 to {MAX_LENGTH} characters, this one {len(pattern)}")
    if bad := _REFUSED.search(pattern):
        raise ValueError(f"pattern {pattern!r} contains {bad[0]!r}; only *, ? and ** have a meaning here")
    parts = _parts(pattern)
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"pattern {pattern!r} is not a path from the root, such as 'docs/**'")
    if wrong := next((part for part in parts if "**" in part and part != "**"), None):
        raise ValueError(f"pattern {pattern!r}: ** must stand alone between slashes, not in {wrong!r}")
    return re.compile(_expression(parts))


def glob_any(globs: Iterable[re.Pattern[str]], path: str) -> bool:
    """Whether one of the compiled patterns matches the whole path."""
    return any(glob.fullmatch(path) for glob in globs)


def globs_meet(one: str, other: str) -> bool:
    """Whether some path matches both patterns, each of which `glob_compile` takes."""
    paths = [_parts(pattern) for pattern in (one, other)]
    for path in paths:
        if path[-1] == "**":  # at the end it stands for one segment at least
            path.append("*")
    return _meet(*paths, star="**", alike=cache(_segments_meet))


def _segments_meet(one: str, other: str) -> bool:
    return _meet(one, other, star="*", alike=_signs_alike)


def _signs_alike(one: str, other: str) -> bool:
    return one == other or "?" in (one, other)


def _meet(a: Sequence[str], b: Sequence[str], *, star: str, alike: Callable[[str, str], bool]) -> bool:
    """Whether two sequences can be one, where a star stands for any number of items of the other.

    Each row has the places of `b` that can be reached when an item of `a` is done with.
    """
    row = _past_stars({0}, b, star)
    for item in a:
        if item == star:
            row = set(range(min(row), len(b) + 1))
            continue
        stay = {place for place in row if place < len(b) and b[place] == star}
        step = {place + 1 for place in row - stay if place < len(b) and alike(item, b[place])}
        row = _past_stars(stay | step, b, star)
        if not row:
            return False
    return len(b) in row


def _past_stars(row: set[int], b: Sequence[str], star: str) -> set[int]:
    """The places with those behind stars that stand for nothing."""
    found = set(row)
    for place in sorted(row):
        while place < len(b) and b[place] == star:
            place += 1
            found.add(place)
    return found


def _parts(pattern: str) -> list[str]:
    """The segments; a pattern that ends in `/` is everything below."""
    return (pattern + "**" if pattern.endswith("/") else pattern).split("/")


def _expression(parts: list[str]) -> str:
    """Between two `**` stands a block of whole segments; its leftmost place is always good enough."""
    blocks: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            blocks.append([])
        else:
            blocks[-1].append(_segment(part))
    first, *later = blocks
    if not later:
        return "/".join(first)
    *middle, last = later
    head = "".join(f"{segment}/" for segment in first)
    body = "".join(rf"(?>(?:[^/]+/)*?{''.join(f'{s}/' for s in block)})" for block in middle if block)
    # the last block is bound to the end, so its leftmost place may be wrong; without one, `**` is last
    tail = rf"(?:[^/]+/)*?{'/'.join(last)}" if last else ".+"
    return rf"(?s:{head}{body}{tail})"


def _segment(part: str) -> str:
    """One segment: literals between stars, each star atomic but the last, which reaches to the end."""
    first, *later = [re.escape(literal).replace(r"\?", "[^/]") for literal in re.split(r"\*", part)]
    if not later:
        return first
    *middle, last = later
    return first + "".join(f"(?>[^/]*?{literal})" for literal in middle if literal) + f"[^/]*{last}"
