"""The first page: every project in one row, and what needs a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.metrics import METRICS
from perfsite.dashboards.charts.sparkline import Sparkline, geometric_means, sparkline
from perfsite.dashboards.selectors.builds import BuildRow, build_rows, builds_recent
from perfsite.regressions.models import Incident
from perfsite.results.models import Series
from perfsite.results.selectors import recent_values, unstable_share
from perfsite.runs.models import Project

# one headline metric, so that the line means one thing: the device's own time where there is one
_HEADLINES = ("gpu_compute_time_p50", "latency_p50")
_STRIP = 30


@dataclass(frozen=True)
class ProjectRow:
    """A project for the table; `trend` is the geometric mean of its headline metric by build."""

    project: Project
    newest: BuildRow | None
    strip: Sequence[BuildRow]
    trend: Sparkline
    trend_title: str
    trend_change: float | None
    judged: BuildRow | None
    unstable: float | None


def project_rows(*, projects: Sequence[Project]) -> list[ProjectRow]:
    """The projects with all their row shows."""
    return [_project_row(project) for project in projects]


def _project_row(project: Project) -> ProjectRow:
    strip = build_rows(builds=list(builds_recent(project=project)[:_STRIP]))
    line, title = _trend(project)
    ordinals = [row.build.ordinal for row in strip if row.build.ordinal is not None]
    change = line[-1][1] / line[0][1] - 1 if len(line) > 1 else None
    return ProjectRow(
        project=project,
        newest=strip[0] if strip else None,
        strip=strip[::-1],
        trend=sparkline(line, width=140, height=28),
        trend_title=title,
        trend_change=change,
        judged=next((row for row in strip if row.verdicts), None),
        unstable=unstable_share(project=project, ordinals=ordinals),
    )


def _trend(project: Project) -> tuple[list[tuple[int, float]], str]:
    """The line of a project and what it is the mean of; empty when no headline metric was measured."""
    for metric in _HEADLINES:
        series = list(Series.objects.filter(project=project, branch=project.branch, metric=metric))
        if series:
            values = recent_values(series=series, builds=_STRIP)
            return geometric_means(list(values.values())), METRICS[metric].title
    return [], ""


def incidents_open(*, projects: Sequence[Project], most: int = 8) -> list[Incident]:
    """What nobody has triaged yet, the newest first."""
    found = Incident.objects.filter(
        project__in=projects, state__in=("untriaged", "environment"), override="", merged_into=None
    )
    return list(found.select_related("project", "build").order_by("-opened_at")[:most])
