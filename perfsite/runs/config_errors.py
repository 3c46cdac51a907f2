"""Pydantic's complaints about `perfsite.toml` as sentences that name line and key: pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from benchmarks.cases import SUITES
from benchmarks.options import OPTIONS
from perfsite.runs.config_levels import LevelTable
from perfsite.runs.config_options import options_known
from perfsite.runs.config_rows import (
    ConfirmationTable,
    DefaultsTable,
    Document,
    LimitsTable,
    MeasureTable,
    ModelTable,
    PullRequestsTable,
)
from perfsite.runs.config_tables import word_like
from perfsite.runs.toml_lines import Path

FILE = "perfsite.toml"
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 10  # complaints in one message: all of a usual file, not all of a hopeless one


def errors_told(error: ValidationError, lines: Mapping[Path, int]) -> str:
    """One line per mistake, in the order of the file, ten at most.

    `lines` maps a key's path to its line; a key that is missing is told at the line of its table.
    """
    told: list[tuple[int, str]] = []
    for details in error.errors(include_url=False):
        path = _path(details)
        told.append((_line(path, lines), f"{place_text(path, lines)}: {_sentence(details, path)}"))
    told.sort(key=lambda pair: pair[0])
    more = [f"... and {len(told) - _SHOWN} more mistakes"] if len(told) > _SHOWN else []
    return "\n".join([text for _, text in told[:_SHOWN]] + more)


def place_text(path: Path, lines: Mapping[Path, int]) -> str:
    """Line and key as a message begins: `perfsite.toml line 14, models.cnn.runners[1]`."""
    line = _line(path, lines)
    return f"{FILE} line {line}, {_path_text(path)}" if line else f"{FILE}, {_path_text(path)}"


def _path_text(path: Path) -> str:
    """A path as TOML writes it; a long key is cut at 60 characters."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part[:60] if _BARE.fullmatch(part) else json.dumps(part[:60], ensure_ascii=False)
            text += ("." if text else "") + name
    return text or "the file"


def _path(details: ErrorDetails) -> Path:
    """Pydantic's place without the marks that are no key of the file, such as `[key]`."""
    return tuple(part for part in details["loc"] if part != "[key]")


def _line(path: Path, lines: Mapping[Path, int]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 0)


def _table(path: Path) -> type[BaseModel]:
    """The table that the last key of `path` stands in."""
    if path[0] == "models":
        return ModelTable
    tables: dict[str | int, type[BaseModel]] = {
        "defaults": DefaultsTable,
        "limits": LimitsTable,
        "measure": MeasureTable,
        "confirmation": ConfirmationTable,
        "pull_requests": PullRequestsTable,
        "level": LevelTable,
    }
    return tables.get(path[0], Document)


def _sentence(details: ErrorDetails, path: Path) -> str:
    kind = details["type"]
    if kind == "extra_forbidden" and (below := _below_options(path)):
        return _option_unknown(below)
    if kind == "extra_forbidden":
        table = Document if len(path) == 1 else _table(path)
        return f"unknown key{word_like(str(path[-1]), list(table.model_fields))}"
    if kind == "value_error":
        return str(details["ctx"]["error"])
    if path == ("models",) and kind in ("missing", "too_short"):
        return "no model to measure; add a table such as [models.cnn]"
    if kind == "too_long":
        return f"should have at most {details['ctx']['max_length']} elements"
    return f"{_expected(details)}, not {_shown(details['input'])}"


def _below_options(path: Path) -> Path:
    """What of `path` stands below a table `options`; empty when it stands elsewhere."""
    place = 2 if path[0] == "models" else 1
    return path[place + 1 :] if path[place : place + 1] == ("options",) else ()


def _option_unknown(below: Path) -> str:
    """The sentence about a suite, or a suite's option, that there is none of."""
    if len(below) == 1:
        return f"unknown suite{word_like(str(below[0]), SUITES)}"
    suite, name = str(below[0]), str(below[-1])
    if name in OPTIONS:
        return f"option {name} says nothing to suite {suite}; it belongs to {', '.join(OPTIONS[name].suites)}"
    return f"unknown option{word_like(name, options_known(suite))}"


def _expected(details: ErrorDetails) -> str:
    if details["type"] in ("model_type", "dict_type"):
        return "should be a table"
    return details["msg"].removeprefix("Input ").replace("a valid tuple", "an array")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
