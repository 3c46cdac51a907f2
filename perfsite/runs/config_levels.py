"""`[[level]]` of `perfsite.toml`, a service level: what a case must keep, whatever it did before.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from benchmarks.metrics import METRICS, Metric, metric_get
from perfsite.runs.config_tables import DeviceClass, Precision, Runner, Suite, Table, word_like
from perfsite.runs.quantities import quantity_read

_PLACES = ("model", "runner", "precision", "shape", "suite", "device")


def _metric(name: str) -> str:
    try:
        metric_get(name)
    except ValueError:
        raise ValueError(f"unknown metric {name[:60]!r}{word_like(name, METRICS)}") from None
    return name


class LevelTable(Table):
    """One service level: `metric` is `at_most` or `at_least` a quantity, in the cases that the others name.

    A key that is left out stands for all: a level without any concerns every case that has the metric.
    """

    metric: Annotated[str, AfterValidator(_metric)]
    at_most: str | float | None = None
    at_least: str | float | None = None
    model: Annotated[str, Field(max_length=100)] | None = None
    runner: Runner | None = None
    precision: Precision | None = None
    shape: Annotated[str, Field(max_length=150, pattern=r"^b\d+(,[^,\s]+)*$")] | None = None
    suite: Suite | None = None
    device: DeviceClass | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> LevelTable:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("a service level has exactly one of at_most and at_least")
        better = self.row.better
        wanted = {"lower": "at_most", "higher": "at_least"}.get(better or "", self.direction)
        if wanted != self.direction:
            raise ValueError(
                f"{self.metric} is better {'less' if better == 'lower' else 'more'}; use {wanted}"
            )
        quantity_read(self.written, self.row)
        return self

    @property
    def row(self) -> Metric:
        """The metric's row."""
        return metric_get(self.metric)

    @property
    def direction(self) -> str:
        """`at_most` or `at_least`."""
        return "at_least" if self.at_most is None else "at_most"

    @property
    def written(self) -> str | float:
        """The bound as the file has it."""
        return self.at_least if self.at_most is None else self.at_most  # type: ignore[return-value]

    @cached_property
    def key(self) -> str:
        """What makes it this level: all but the bound, so that another bound is still the same level."""
        places = (f"{name}={value}" for name in _PLACES if (value := getattr(self, name)) is not None)
        return " ".join((self.metric, self.direction, *places))

    def order(self) -> dict[str, str | float]:
        """The level as a job's order holds it; `bound` is in the metric's unit."""
        places = {name: value for name in _PLACES if (value := getattr(self, name)) is not None}
        bound = quantity_read(self.written, self.row)
        return {"key": self.key, "metric": self.metric, "direction": self.direction, "bound": bound, **places}


def levels_told(
    levels: Sequence[LevelTable], models: Collection[str]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What no case could be judged by: a key of the file, and why."""
    seen: dict[str, int] = {}
    for place, level in enumerate(levels):
        if level.model is not None and level.model not in models:
            yield (
                ("level", place, "model"),
                f"unknown model {level.model!r}{word_like(level.model, list(models))}",
            )
        if level.key in seen:
            yield ("level", place), f"it is the same service level as level[{seen[level.key]}]; keep one"
        seen.setdefault(level.key, place)
