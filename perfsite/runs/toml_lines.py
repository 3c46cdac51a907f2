"""On which line each key of a TOML document stands: `tomllib` reads values and forgets their places.

The text must already be valid TOML; this reader only keeps count.  Nesting deeper than the
interpreter's stack raises `RecursionError`, as `tomllib` does.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'(?P<string>"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<skip>[ \t\r]+|\#[^\n]*)"
    r"|(?P<sign>[\n\[\]{}=,.])"
    r"|(?P<bare>[^\s\[\]{}=,.#\"']+)",
    re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of every key, table and array element, by its path from the root."""
    return _Reader(text).read()


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "skip":
            yield _Token(match.lastgroup or "", match[0], line)
        line += match[0].count("\n")
    yield _Token("end", "", line)


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text.replace("\r\n", "\n"))
        self._now = next(self._tokens)
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}  # how many elements an array of tables has by now

    def read(self) -> dict[Path, int]:
        table: Path = ()
        while self._now.kind != "end":
            if self._take("\n"):
                continue
            if self._now.text == "[" and self._now.kind == "sign":
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    def _next(self) -> _Token:
        token = self._now
        self._now = next(self._tokens, _Token("end", "", token.line))
        return token

    def _take(self, sign: str) -> bool:
        taken = self._now.kind == "sign" and self._now.text == sign
        if taken:
            self._next()
        return taken

    def _note(self, path: Path, line: int) -> None:
        self._lines.setdefault(path, line)

    def _key(self, base: Path, line: int) -> Path:
        """Read a dotted key; every table it makes on its way is noted on this line."""
        path = base
        while True:
            token = self._next()
            name = tomllib.loads(f"key = {token.text}")["key"] if token.kind == "string" else token.text
            path = (*path, name)
            if self._now.kind != "sign" or self._now.text != ".":
                return path
            self._note(path, line)
            path = self._inside(path)
            self._next()

    def _inside(self, path: Path) -> Path:
        """A header or key that names an array of tables means its newest element."""
        return (*path, self._tables[path] - 1) if path in self._tables else path

    def _header(self) -> Path:
        line = self._next().line
        many = self._take("[")
        path = self._key((), line)
        self._note(path, line)
        if many:
            self._tables[path] = self._tables.get(path, 0) + 1
            path = self._inside(path)
            self._note(path, line)
        while self._take("]"):
            pass
        return path

    def _pair(self, table: Path) -> None:
        line = self._now.line
        path = self._key(table, line)
        self._note(path, line)
        self._next()  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            while not self._take("}") and self._now.kind != "end":
                self._pair(path)
                self._take(",")
        else:
            self._next()
            while self._now.kind == "bare" or (self._now.kind == "sign" and self._now.text == "."):
                self._next()

    def _array(self, path: Path) -> None:
        index = 0
        while not self._take("]") and self._now.kind != "end":
            if self._take("\n") or self._take(","):
                continue
            self._note((*path, index), self._now.line)
            self._value((*path, index))
            index += 1
