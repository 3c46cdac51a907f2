"""`perfsite.toml` of one commit, read as data: pure, and no watched code runs.

`perfsite-toml.md` beside this file documents the format.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import ValidationError

from benchmarks.cases import Case, ModelSource
from perfsite.core.errors import ConfigError
from perfsite.runs.config_cases import cases_count, cases_make, idle_told, suites_of
from perfsite.runs.config_errors import FILE, errors_told, place_text
from perfsite.runs.config_levels import levels_told
from perfsite.runs.config_rows import Document
from perfsite.runs.globs import glob_any, glob_compile
from perfsite.runs.toml_lines import Path, lines_of
from workers.messages import Limits

SOAK = "soak"
MAX_BYTES = 256 * 1024
MAX_CASES = 5_000
# a series keeps 200: the points of a suite may add a few
MAX_SHAPE = 150
# tomllib needs time with the square of a dotted key's length; a key cannot leave its line
MAX_LINE = 1_000
_SYNTAX_PLACE = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)"
)


@dataclass(frozen=True)
class CaseGroup:
    """The cases of one model at one precision: one export, one engine, one job.

    A soak is a group by itself: hours of it must not keep the others' numbers back.
    """

    model: str
    source: ModelSource
    precision: str
    cases: tuple[Case, ...]

    @property
    def is_soak(self) -> bool:
        """Whether the group is one soak."""
        return self.cases[0].suite == SOAK


@dataclass(frozen=True)
class Config:
    """The rules of one commit.  `devices` is empty when every class a worker joined with is meant."""

    document: Document

    @property
    def models(self) -> tuple[str, ...]:
        """The models' names, in the order of the file."""
        return tuple(self.document.models)

    @property
    def devices(self) -> tuple[str, ...]:
        """The device classes to measure on; none means every class that a worker has joined with."""
        return self.document.devices

    def levels(self, model: str, precision: str) -> list[dict[str, str | float]]:
        """The service levels that may concern a model at a precision, as a job's order holds them."""
        return [
            level.order()
            for level in self.document.level
            if level.model in (None, model) and level.precision in (None, precision)
        ]

    @property
    def pull_devices(self) -> tuple[str, ...]:
        """The device classes to compare pull requests on: those named for them, else `devices`."""
        return self.document.pull_requests.devices or self.devices

    @property
    def limits(self) -> Limits:
        """What one job's process may use."""
        table = self.document.limits
        return Limits(wall_clock_s=table.wall_clock, resident_bytes=int(table.memory_gib * 2**30))

    @property
    def heads_only(self) -> bool:
        """Whether of each push only the newest commit is measured at once."""
        return self.document.measure.commits == "heads"

    @property
    def confirmation(self) -> dict[str, float | int | bool]:
        """What the site's own runs may cost, as a measure job's order holds it: `[confirmation]`."""
        return self.document.confirmation.model_dump()

    def watches(self, branch: str, default_branch: str) -> bool:
        """Whether commits of this branch are measured; without `branches`, only the default branch is."""
        if not self._branches:
            return branch == default_branch
        return glob_any(self._branches, branch)

    def trigger(self, changed: Sequence[str]) -> tuple[bool, str]:
        """Whether a commit that changed these paths is measured, and the sentence why not.

        `changed` holds paths from the repository's root, as git prints them; for a merge, against
        its first parent.
        """
        if self.models_triggered(changed):
            return True, ""
        if not changed:
            return False, "the commit changes no file"
        if all(table.when == "schedule" for table in self.document.models.values()):
            return False, f"every model in {FILE} is measured by schedules only"
        if all(glob_any(self._ignore, path) for path in changed):
            return False, f"the commit changes only {_listed(changed)}, which `ignore` in {FILE} leaves out"
        return False, f"the commit changes only {_listed(changed)}, which is under no `paths` in {FILE}"

    def models_triggered(self, changed: Sequence[str]) -> tuple[str, ...]:
        """The models that a change of these paths concerns; `perfsite.toml` itself concerns all."""
        pushed = [name for name in self.models if self.document.models[name].when == "push"]
        if FILE in changed:
            return tuple(pushed)
        counted = [path for path in changed if not glob_any(self._ignore, path)]
        return tuple(name for name in pushed if any(glob_any(self._paths[name], path) for path in counted))

    def groups(self, models: Collection[str] | None = None) -> list[CaseGroup]:
        """What to measure: a group per model and precision, and one per soak.

        Only of the named models when some are named.
        """
        defaults = self.document.defaults
        return [
            CaseGroup(name, table.source, precision, cases)
            for name, table in self.document.models.items()
            if models is None or name in models
            for precision in table.precisions or defaults.precisions
            for cases in _soaks_apart(tuple(cases_make(name, table, defaults, precision)))
        ]

    @cached_property
    def _branches(self) -> list[re.Pattern[str]]:
        return [glob_compile(pattern) for pattern in self.document.branches]

    @cached_property
    def _ignore(self) -> list[re.Pattern[str]]:
        return [glob_compile(pattern) for pattern in self.document.ignore]

    @cached_property
    def _paths(self) -> dict[str, list[re.Pattern[str]]]:
        return {
            name: [glob_compile(pattern) for pattern in table.paths or self.document.paths]
            for name, table in self.document.models.items()
        }


def _soaks_apart(cases: Sequence[Case]) -> list[tuple[Case, ...]]:
    """The cases without soaks, if any, and each soak by itself."""
    together = tuple(case for case in cases if case.suite != SOAK)
    return [group for group in (together, *((case,) for case in cases if case.suite == SOAK)) if group]


def config_parse(data: bytes) -> Config:
    """Read a `perfsite.toml`.

    Raises:
        ConfigError: it is too large, no UTF-8, no TOML, or says what this site does not know; the
            message names the line and the key, one mistake per line of text.
    """
    text = _text(data)
    try:
        values = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and a number with more digits than Python converts
        raise ConfigError(_syntax_told(str(error), text)) from None
    except RecursionError:
        raise ConfigError(f"{FILE}: arrays or tables are nested too deeply to be read") from None
    try:
        config = Config(Document.model_validate(values))
    except ValidationError as error:
        raise ConfigError(errors_told(error, _lines(text))) from None
    _bound(config, text)
    _sense_checked(config, text)
    return config


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{FILE} has {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{FILE} line {line}: byte 0x{data[error.start]:02x} is not UTF-8") from None
    for number, line_text in enumerate(text.split("\n"), start=1):
        if len(line_text) > MAX_LINE:
            raise ConfigError(
                f"{FILE} line {number} has {len(line_text)} characters; "
                f"at most {MAX_LINE} are read: break the line"
            )
    return text


def _syntax_told(message: str, text: str) -> str:
    place = _SYNTAX_PLACE.fullmatch(message)
    if place is None:
        return f"{FILE}: {message}"
    if place["line"] is None:
        return f"{FILE} line {text.count(chr(10)) + 1}, at the end: {place['what']}"
    return f"{FILE} line {place['line']}, column {place['column']}: {place['what']}"


def _lines(text: str) -> dict[Path, int]:
    try:
        return lines_of(text)
    except RecursionError:  # tomllib's stack just sufficed, this reader's did not: the key alone must do
        return {}


def _bound(config: Config, text: str) -> None:
    total = 0
    for name, table in config.document.models.items():
        total += cases_count(table, config.document.defaults)
        if total > MAX_CASES:
            where = place_text(("models", name), _lines(text))
            raise ConfigError(
                f"{where}: with it the file asks for {total} cases, at most {MAX_CASES} are allowed; "
                "use fewer runners, precisions, batches, suites or options"
            )


def _sense_checked(config: Config, text: str) -> None:
    """Refuse what would silently be measured by nobody, and shapes that no series can be keyed by."""
    document = config.document
    measured = {suite for table in document.models.values() for suite in suites_of(table, document.defaults)}
    told: list[tuple[Path, str]] = [
        (("defaults", "options", suite), f"no model is measured with suite {suite}")
        for suite in document.defaults.options
        if suite not in measured
    ]
    told += list(levels_told(document.level, document.models))
    for name, table in document.models.items():
        told += [
            (("models", name, *below), sentence) for below, sentence in idle_told(table, document.defaults)
        ]
    for group in config.groups():
        long = next((case for case in group.cases if len(case.shape) > MAX_SHAPE), None)
        if long is not None:
            where = ("models", group.model, "options", long.suite)
            told.append((where, f"the options of one case have more than {MAX_SHAPE} characters together"))
    if told:
        lines = _lines(text)
        raise ConfigError("\n".join(f"{place_text(path, lines)}: {sentence}" for path, sentence in told[:10]))


def _listed(paths: Sequence[str]) -> str:
    shown = ", ".join(path[:80] for path in paths[:3])
    return f"{shown} and {len(paths) - 3} more" if len(paths) > 3 else shown
