"""Where a change came from, as the page of an incident shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perfsite.dashboards.charts.causes import CauseBar, cause_bar
from perfsite.dashboards.formatting import change_text
from perfsite.regressions.models import Incident, Regression
from perfsite.regressions.selectors import attribution_of


@dataclass(frozen=True)
class PartRow:
    """One cause: its share with its interval as text (empty where it is only named), and a sentence."""

    cause: str
    change: str
    sentence: str

    @property
    def mark(self) -> str:
        """The cause as the name of a CSS class."""
        return self.cause.replace(" ", "-")


@dataclass(frozen=True)
class AttributionShown:
    """The parts that add up to `total`, the bar of them, and what is told besides."""

    total: str
    rows: Sequence[PartRow]
    bar: CauseBar | None
    spoken: str
    left_out: Sequence[tuple[str, str]]
    told: Sequence[str]


def attribution_shown(*, incident: Incident, worst: Regression | None) -> AttributionShown | None:
    """The parts of the worst regression's change; None while they are not known."""
    found = attribution_of(verdict=worst.verdict) if worst else None
    if found is None or not found.parts:
        return None
    rows = [PartRow(part["cause"], _part_text(part), part["sentence"]) for part in found.parts]
    total = change_text(found.total, found.facts.get("low"), found.facts.get("high"))
    spoken = ", ".join(f"{row.cause} {row.change}" for row in rows if row.change)
    return AttributionShown(
        total=total,
        rows=rows,
        bar=cause_bar([(part["cause"], part["relative"]) for part in found.parts]),
        spoken=f"{total} in parts: {spoken}",
        left_out=sorted(found.facts.get("left_out", {}).items()),
        told=[one["sentence"] for one in incident.facts.get("environments", [])],
    )


def _part_text(part: dict[str, Any]) -> str:
    if part["relative"] is None:
        return ""
    return change_text(part["relative"], part["low"], part["high"])
