"""What is said of a service level: pure."""

from __future__ import annotations

from typing import Protocol

from benchmarks.metrics import metric_get

_WORDS = {"at_most": ("at most", "over"), "at_least": ("at least", "under")}


class Place(Protocol):
    """What a series says of itself."""

    metric: str
    device_class: str

    @property
    def case_label(self) -> str:
        """The case as people write it."""


def bound_words(*, metric: str, bound: float, direction: str) -> str:
    """The bound for people: `at most 80.0 ms`."""
    return f"{_WORDS[direction][0]} {metric_get(metric).format(bound)}"


def breach_sentence(series: Place, *, value: float, bound: float, direction: str) -> str:
    """That a level is breached, by which value."""
    metric = metric_get(series.metric)
    asked = bound_words(metric=series.metric, bound=bound, direction=direction)
    return (
        f"{metric.title} of {series.case_label} on {series.device_class} is {metric.format(value)}, "
        f"{_WORDS[direction][1]} its service level of {asked}."
    )


def met_sentence(series: Place, *, value: float, bound: float, direction: str) -> str:
    """That a level is met again."""
    metric = metric_get(series.metric)
    asked = bound_words(metric=series.metric, bound=bound, direction=direction)
    return f"{metric.title} of {series.case_label} is {metric.format(value)}; asked is {asked}."
