"""How a project and its series stand to their service levels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from perfsite.regressions.level_words import bound_words
from perfsite.regressions.models import Incident, LevelStanding
from perfsite.results.models import Series
from perfsite.runs.models import Project


@dataclass(frozen=True)
class LevelRow:
    """A service level, how many series are judged by it and breach it; `worst` is nearest to its bound."""

    metric: str
    asked: str
    about: str
    count: int
    breached: int
    worst: LevelStanding
    incident_id: int | None


def standings_of(*, series: Series) -> list[LevelStanding]:
    """A series' service levels."""
    return list(LevelStanding.objects.filter(series=series).order_by("bound", "id"))


def standings_breached(*, incident: Incident) -> list[LevelStanding]:
    """The series of a breach, those that still breach it first, the worst before."""
    rows = list(incident.standings.select_related("series", "build"))
    return sorted(rows, key=lambda row: (row.is_met, -_nearness(row)))


def levels_of(*, project: Project) -> list[LevelRow]:
    """A project's service levels on its branch, breached ones first."""
    rows = LevelStanding.objects.filter(series__project=project, series__branch=project.branch)
    standings = list(rows.select_related("series").order_by("level", "id"))
    found = [_row(key, list(group)) for key, group in groupby(standings, key=lambda row: row.level)]
    return sorted(found, key=lambda row: (not row.breached, row.metric, row.about))


def bound_text(row: LevelStanding) -> str:
    """What is asked for: `at most 80.0 ms`."""
    metric = row.level.split(" ", 1)[0]
    return bound_words(metric=metric, bound=row.bound, direction=row.direction)


def _row(key: str, rows: list[LevelStanding]) -> LevelRow:
    metric, _, *places = key.split(" ")
    worst = max(rows, key=_nearness)
    breached = [row for row in rows if not row.is_met]
    incident_id = next((row.incident_id for row in breached if row.incident_id), None)
    about = ", ".join(place.replace("=", " ") for place in places)
    return LevelRow(metric, bound_text(worst), about, len(rows), len(breached), worst, incident_id)


def _nearness(row: LevelStanding) -> float:
    """How far on the wrong side of its bound; below zero while it is met."""
    away = (row.value - row.bound) / (abs(row.bound) or 1.0)
    return away if row.direction == "at_most" else -away
