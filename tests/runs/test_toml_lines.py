"""Line numbers of TOML keys: hand-counted ones, and that no key of any document is without its line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest

from perfsite.runs.toml_lines import lines_of

DOCUMENT = '''\
# a comment with [brackets] = "and" signs
title = "x # no comment"
a.b."c.d" = 1
text = """
[not.a.table]
"" still text \\""" """
quotes = """"four""""
literal = \'\'\'
x = 1\'\'\'
numbers = [ 1.5, -2e3,  # two
  1979-05-27T07:32:00.5Z,
  [
    "deep", 'er',
  ], {x = 1, y.z = [2]}
]

[table]
when = 1979-05-27 07:32:00
on = true

[table."sub \\u0041"]
'k' = {}

[[many]]
n = 1
  [many.inner]
  z = 0
[[many]]
n = 2
[[many.deep]]
q = []
'''


def paths(value: object, at: tuple = ()) -> Iterator[tuple]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield (*at, key)
        yield from paths(item, (*at, key))


def test_counted_by_hand():
    lines = lines_of(DOCUMENT)
    expected = {
        ("title",): 2, ("a",): 3, ("a", "b"): 3, ("a", "b", "c.d"): 3, ("text",): 4, ("quotes",): 7,
        ("literal",): 8, ("numbers",): 10, ("numbers", 0): 10, ("numbers", 1): 10, ("numbers", 2): 11,
        ("numbers", 3): 12, ("numbers", 3, 0): 13, ("numbers", 3, 1): 13, ("numbers", 4): 14,
        ("numbers", 4, "x"): 14, ("numbers", 4, "y"): 14, ("numbers", 4, "y", "z"): 14,
        ("numbers", 4, "y", "z", 0): 14, ("table",): 17, ("table", "when"): 18, ("table", "on"): 19,
        ("table", "sub A"): 21, ("table", "sub A", "k"): 22, ("many",): 24, ("many", 0): 24,
        ("many", 0, "n"): 25, ("many", 0, "inner"): 26, ("many", 0, "inner", "z"): 27, ("many", 1): 28,
        ("many", 1, "n"): 29, ("many", 1, "deep"): 30, ("many", 1, "deep", 0): 30,
        ("many", 1, "deep", 0, "q"): 31,
    }  # fmt: skip
    assert lines == expected
    assert set(lines) == set(paths(tomllib.loads(DOCUMENT)))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings(ending: str):
    assert lines_of(DOCUMENT.replace("\n", ending)) == lines_of(DOCUMENT)


def test_this_repository_s_own_file(pytestconfig: pytest.Config):
    text = (pytestconfig.rootpath / "pyproject.toml").read_text()
    lines = lines_of(text)
    assert set(lines) == set(paths(tomllib.loads(text)))
    rows = text.split("\n")
    assert all(path[-1] in rows[line - 1] for path, line in lines.items() if isinstance(path[-1], str))
