"""What a file of results says, in the site's words: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


class FormatError(Exception):
    """A file is not what its format says; the message says which part, and what was expected."""


@dataclass(frozen=True)
class Measured:
    """One value, in its metric's unit (SI), with what names its series; `n` counts the samples behind it."""

    model: str
    runner: str
    metric: str
    value: float
    precision: str = ""
    shape: str = "b1"
    suite: str = "elsewhere"
    ci_low: float | None = None
    ci_high: float | None = None
    n: int = 1
    unstable: bool = False


@dataclass(frozen=True)
class Reading:
    """A file: its values, who measured them, and the facts of the machine that it tells.

    `sha` is the commit, where the file itself tells it.
    """

    rows: Sequence[Measured]
    generator: str
    facts: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    sha: str = ""

    def body(self) -> dict[str, Any]:
        """As the site takes it."""
        return {
            "generator": self.generator[:100],
            "facts": self.facts,
            "measurements": [asdict(row) for row in self.rows],
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie, by linear interpolation between the nearest two."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The median with its 95 % interval by order statistics (normal approximation of the binomial)."""
    ordered, count = sorted(values), len(values)
    half = 0.98 * count**0.5
    low = max(int(count / 2 - half), 0)
    high = min(int(count / 2 + half), count - 1)
    return median(ordered), ordered[low], ordered[high]
