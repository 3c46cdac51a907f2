"""What moved lately, by the build that moved it: the worst of each first, the rest behind a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from perfsite.dashboards.selectors.trends import TrendRow, trend_rows
from perfsite.dashboards.selectors.verdicts import verdicts_moved
from perfsite.regressions.models import Verdict
from perfsite.regressions.selectors import change_rank
from perfsite.runs.models import Build, Project

_SHOWN_PER_BUILD = 3
_BUILDS = 8


@dataclass(frozen=True)
class MovedGroup:
    """What one build moved in one direction; `rows` are the worst, `more` counts the others."""

    build: Build
    kind: str
    incident_id: int | None
    count: int
    rows: Sequence[tuple[Verdict, TrendRow]]

    @property
    def more(self) -> int:
        """How many series are not listed here."""
        return self.count - len(self.rows)


def moved_groups(*, project: Project, builds: Sequence[Build]) -> list[MovedGroup]:
    """The newest builds among `builds` that moved something, at most eight groups."""
    verdicts = list(verdicts_moved(project=project, build_ids=[build.pk for build in builds]))
    verdicts.sort(key=lambda row: (-(row.build.ordinal or 0), row.build_id, row.kind != "regressed"))
    found = [
        (kind, sorted(rows, key=lambda row: change_rank(row.series.metric, row.relative)))
        for (_, kind), rows in groupby(verdicts, key=lambda row: (row.build_id, row.kind))
    ][:_BUILDS]
    shown = {row.series for _, rows in found for row in rows[:_SHOWN_PER_BUILD]}
    pictures = {row.series.pk: row for row in trend_rows(series=list(shown), width=180)}
    return [
        MovedGroup(
            build=rows[0].build,
            kind=kind,
            incident_id=next((incident for row in rows if (incident := _incident_id(row))), None),
            count=len(rows),
            rows=[(row, pictures[row.series_id]) for row in rows[:_SHOWN_PER_BUILD]],
        )
        for kind, rows in found
    ]


def _incident_id(verdict: Verdict) -> int | None:
    return verdict.regression.incident_id if hasattr(verdict, "regression") else None
