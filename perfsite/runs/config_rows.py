"""The tables and keys of `perfsite.toml`, as pydantic checks them: pure.

Everything is strict, because TOML has types: `"1"` is no number and `1` is no text.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from benchmarks.cases import DEFAULT_SUITES, ModelSource
from benchmarks.metrics import evaluate_metric
from perfsite.runs.config_levels import LevelTable
from perfsite.runs.config_options import SuiteOptions
from perfsite.runs.config_tables import (
    Array,
    Batch,
    DeviceClass,
    Filled,
    Pattern,
    Precision,
    Runner,
    Seconds,
    Suite,
    Table,
)

MAX_MODELS = 200
_SOURCES: tuple[Literal["entry", "catalogue", "onnx"], ...] = ("entry", "catalogue", "onnx")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CATALOGUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def _file(text: str) -> str:
    """A relative path inside the checkout; nothing that could leave it or confuse a command line."""
    parts = text.split("/")
    if len(text) > 400 or not text.isprintable() or any(sign in text for sign in "\\:"):
        raise ValueError(f"{text[:80]!r} is no plain path inside the repository")
    if any(part in ("", ".", "..") or part.startswith("-") for part in parts):
        raise ValueError(f"{text[:80]!r} must be a path relative to the repository's root, without . or ..")
    return text


def _entry(text: str) -> str:
    file, colon, function = text.rpartition(":")
    if not colon or not file.endswith(".py") or not function.isidentifier():
        raise ValueError(f"{text[:80]!r} is no entry point; write 'path/file.py:function'")
    _file(file)
    return text


def _evaluated(text: str) -> str:
    evaluate_metric(text, better="lower")  # refuses what cannot name a metric
    return text


def _onnx(text: str) -> str:
    if not text.endswith(".onnx"):
        raise ValueError(f"{text[:80]!r} does not end in .onnx")
    return _file(text)


def _catalogue(text: str) -> str:
    if not _CATALOGUE_NAME.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no catalogue name; `python -m benchmarks list` prints them")
    return text


def model_name(text: str) -> str:
    """The name of a model, when it can be one.

    Raises:
        ValueError: it has other signs, or too many.
    """
    if not _MODEL_NAME.fullmatch(text):
        raise ValueError(
            f"model name {text[:80]!r}: letters, digits, '.', '_' and '-' only, at most 100 characters"
        )
    return text


class DefaultsTable(Table):
    """`[defaults]`: what a model is measured with when its own table does not say."""

    runners: Filled[Runner] = ("torch", "onnxruntime")
    precisions: Filled[Precision] = ("fp32",)
    batches: Filled[Batch] = (1,)
    suites: Filled[Suite] = DEFAULT_SUITES
    duration: Seconds = 1.0
    options: SuiteOptions = {}


class LimitsTable(Table):
    """`[limits]`: what one job's process may use; seconds and GiB."""

    wall_clock: Annotated[float, Field(ge=10, le=43200, allow_inf_nan=False)] = 900.0
    memory_gib: Annotated[float, Field(ge=0.25, le=4096, allow_inf_nan=False)] = 16.0


class MeasureTable(Table):
    """`[measure]`: which commits of a push are measured at once, `heads` or `all`."""

    commits: Literal["all", "heads"] = "all"


class ConfirmationTable(Table):
    """`[confirmation]`: what the runs that the site orders itself may cost.

    `minutes_per_day` is a project's device time in 24 hours, `max_pairs` what one comparison may run,
    `false_alarms_per_day` how many false verdicts may be expected of a day's comparisons.
    """

    minutes_per_day: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 120.0
    max_pairs: Annotated[int, Field(ge=2, le=200)] = 20
    false_alarms_per_day: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 0.2
    bisect: bool = True


class PullRequestsTable(Table):
    """`[pull_requests]`: what is compared of a pull request, and how much worse fails its check.

    `limit` is a relative change, 0.05 for 5 %; 0 for every change that is worth telling.
    """

    enabled: bool = True
    limit: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.0
    suites: Filled[Suite] = ("build", "latency", "throughput", "memory")
    max_pairs: Annotated[int, Field(ge=2, le=200)] = 12
    devices: Array[DeviceClass] = ()


class ModelTable(Table):
    """`[models.NAME]`: where the model comes from, and what differs from the defaults."""

    entry: Annotated[str, AfterValidator(_entry)] | None = None
    catalogue: Annotated[str, AfterValidator(_catalogue)] | None = None
    onnx: Annotated[str, AfterValidator(_onnx)] | None = None
    runners: Filled[Runner] | None = None
    precisions: Filled[Precision] | None = None
    batches: Filled[Batch] | None = None
    suites: Filled[Suite] | None = None
    duration: Seconds | None = None
    options: SuiteOptions = {}
    paths: Filled[Pattern] | None = None
    when: Literal["push", "schedule"] = "push"
    evaluate: Annotated[str, AfterValidator(_entry)] | None = None
    evaluate_lower: Filled[Annotated[str, AfterValidator(_evaluated)]] = ()

    @model_validator(mode="after")
    def _one_source(self) -> ModelTable:
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"a model has exactly one of entry, catalogue and onnx; this one has {found}")
        return self

    @model_validator(mode="after")
    def _evaluate_whole(self) -> ModelTable:
        if self.evaluate is None and self.evaluate_lower:
            raise ValueError("evaluate_lower names metrics of evaluate, and there is no evaluate")
        if self.evaluate is None and "evaluate" in (self.suites or ()):
            raise ValueError("suite evaluate needs evaluate = 'path/file.py:function' in this table")
        return self

    @property
    def source(self) -> ModelSource:
        """The one source that is given."""
        kind = next(name for name in _SOURCES if getattr(self, name) is not None)
        return ModelSource(
            kind=kind, ref=getattr(self, kind), evaluate=self.evaluate, evaluate_lower=self.evaluate_lower
        )


class Document(Table):
    """The whole file."""

    version: Literal[1] = 1
    branches: Array[Pattern] = ()
    paths: Filled[Pattern] = ("**",)
    ignore: Array[Pattern] = ("**/*.md", "**/*.rst", "docs/**", "LICENSE*")
    devices: Array[DeviceClass] = ()
    defaults: DefaultsTable = DefaultsTable()
    limits: LimitsTable = LimitsTable()
    measure: MeasureTable = MeasureTable()
    confirmation: ConfirmationTable = ConfirmationTable()
    pull_requests: PullRequestsTable = PullRequestsTable()
    soak_yields: bool = False
    level: Annotated[tuple[LevelTable, ...], Field(strict=False, max_length=100)] = ()
    models: Annotated[
        dict[Annotated[str, AfterValidator(model_name)], ModelTable],
        Field(min_length=1, max_length=MAX_MODELS),
    ]
