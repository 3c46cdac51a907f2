"""Path and branch patterns of `perfsite.toml`: pure, and linear in the pattern times the path.

A pattern names the whole path from the root.  `*` is any run of characters but `/`, `?` one of
them, and `**`, alone between slashes, any number of folders; a pattern that ends in `/` is everything
below that folder.  Patterns come from watched repositories, so none may cost exponential time: a star
is an atomic group that takes its leftmost match, which is enough for globs (CPython's
`fnmatch.translate` does the same).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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
    parts = (pattern + "**" if pattern.endswith("/") else pattern).split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"pattern {pattern!r} is not a path from the root, such as 'docs/**'")
    if wrong := next((part for part in parts if "**" in part and part != "**"), None):
        raise ValueError(f"pattern {pattern!r}: ** must stand alone between slashes, not in {wrong!r}")
    return re.compile(_expression(parts))


def glob_any(globs: Iterable[re.Pattern[str]], path: str) -> bool:
    """Whether one of the compiled patterns matches the whole path."""
    return any(glob.fullmatch(path) for glob in globs)


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
