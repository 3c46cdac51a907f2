"""Patterns against a slow literal reference, and the time that a hostile one may take."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfsite.runs.globs import glob_any, glob_compile, globs_meet

TABLE = [
    ("*.md", ["README.md", ".md"], ["docs/a.md", "README.mdx"]),
    ("**/*.md", ["README.md", "docs/a.md", "a/b/c.md"], ["README.rst"]),
    ("docs/**", ["docs/a", "docs/b/c"], ["docs", "src/docs/a", "docsx/a"]),
    ("docs/", ["docs/a", "docs/b/c"], ["docs"]),
    ("src/**/kernel.py", ["src/kernel.py", "src/a/b/kernel.py"], ["kernel.py", "src/akernel.py"]),
    ("a?c*", ["abc", "abcd"], ["a/c", "ac"]),
    ("**", ["a", "a/b"], []),
    ("a.b+(c)", ["a.b+(c)"], ["axb+(c)", "a.bb(c)"]),
    ("**/a/**/b", ["a/b", "x/a/y/b", "a/b/a/b"], ["a/c", "ab"]),
    ("line\u2028*", ["line\u2028a\nb"], []),
]


@pytest.mark.parametrize(("pattern", "yes", "no"), TABLE)
def test_table(pattern: str, yes: list[str], no: list[str]):
    glob = glob_compile(pattern)
    assert [path for path in yes + no if glob.fullmatch(path)] == yes


@pytest.mark.parametrize(
    "pattern",
    ["", "/a", "a//b", "../a", "a/./b", "a**", "**.js", "[a]", "!a", "a\\b", "{a}", "a\x00", "x" * 201],
)
def test_refused(pattern: str):
    with pytest.raises(ValueError, match="pattern"):
        glob_compile(pattern)


def _segment(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return _segment(pattern[1:], text) or (bool(text) and _segment(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and _segment(pattern[1:], text[1:])


def _reference(parts: list[str], path: list[str]) -> bool:
    """The definition read aloud: exponential, and obviously right."""
    if not parts:
        return not path
    if parts == ["**"]:
        return bool(path)
    if parts[0] == "**":
        return _reference(parts[1:], path) or (bool(path) and _reference(parts, path[1:]))
    return bool(path) and _segment(parts[0], path[0]) and _reference(parts[1:], path[1:])


_LETTERS = st.text("ab?*", min_size=1, max_size=5).filter(lambda text: "**" not in text)


@given(
    st.lists(_LETTERS | st.just("**"), min_size=1, max_size=5),
    st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=6),
)
@settings(max_examples=2000, deadline=None)
def test_agrees_with_the_reference(parts: list[str], path: list[str]):
    glob = glob_compile("/".join(parts))
    assert bool(glob.fullmatch("/".join(path))) == _reference(parts, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 99 + "b", "a" * 4000),
        ("**/" * 60 + "b", "a/" * 2000 + "a"),
        ("**/*a*a/" * 20 + "b", "aaaa/" * 800 + "c"),
        ("?*" * 90 + "b", "a" * 4000),
    ],
)
def test_a_hostile_pattern_ends_soon(pattern: str, path: str):
    glob = glob_compile(pattern)
    started = time.monotonic()
    assert not glob.fullmatch(path)
    assert time.monotonic() - started < 2  # backtracking over such stars would outlive the site


@pytest.mark.parametrize(
    ("pattern", "ends"),
    [("*a" * 98, "bc"), ("?*" * 99, "bc"), ("**/" * 65, "bc"), ("*/**/" * 39, "bc"), ("**/a/" * 39, "bc")],
)
def test_hostile_patterns_are_held_against_each_other_soon(pattern: str, ends: str):
    started = time.monotonic()
    assert not globs_meet(*(pattern + end for end in ends))
    assert time.monotonic() - started < 0.5  # forty of them make 780 pairs


def test_any():
    globs = [glob_compile("a"), glob_compile("b/**")]
    assert glob_any(globs, "b/c")
    assert not glob_any(globs, "c")
    assert not glob_any([], "a")


# as long as two patterns of four parts, or signs, can ask for
_WORDS = ["".join(word) for size in range(9) for word in itertools.product("ab", repeat=size)]
_PATHS = [list(word) for word in _WORDS if word]
_SIGNS = st.text("ab?*", min_size=1, max_size=4).filter(lambda text: "**" not in text)
_PARTS = st.lists(st.sampled_from(["a", "b", "*", "?", "**"]), min_size=1, max_size=4)


@given(_PARTS, _PARTS)
@settings(max_examples=300, deadline=None)
def test_two_patterns_meet_where_a_path_matches_both(one: list[str], other: list[str]):
    some = any(_reference(one, path) and _reference(other, path) for path in _PATHS)
    assert globs_meet("/".join(one), "/".join(other)) == some


@given(_SIGNS, _SIGNS)
@settings(max_examples=300, deadline=None)
def test_two_segments_meet_where_a_word_matches_both(one: str, other: str):
    some = any(_segment(one, word) and _segment(other, word) for word in _WORDS)
    assert globs_meet(one, other) == some


def test_a_folder_meets_what_is_below_it():
    assert globs_meet("docs/", "**/a.md")
    assert not globs_meet("docs/", "docs")
