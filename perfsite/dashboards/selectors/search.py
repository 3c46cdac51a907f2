"""One search over everything: projects, commits, series, incidents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from perfsite.regressions.models import Incident
from perfsite.results.models import Series
from perfsite.results.selectors import series_find
from perfsite.runs.models import Build, Project

_MOST = 12
_SHA = re.compile(r"[0-9a-f]{4,64}", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """What a search found, at most twelve of each."""

    projects: Sequence[Project]
    builds: Sequence[Build]
    series: Sequence[Series]
    incidents: Sequence[Incident]

    @property
    def count(self) -> int:
        """How many things were found."""
        return sum(map(len, (self.projects, self.builds, self.series, self.incidents)))


def everything_find(*, text: str, projects: Sequence[Project]) -> Found:
    """Projects by name or repository, builds by commit or subject, series by their words."""
    text = text.strip()
    if not text:
        return Found((), (), (), ())
    slug = text.casefold()
    named = [row for row in projects if slug in row.slug or slug in row.name.casefold() or slug in row.repo]
    build_match = Q(subject__icontains=text) | Q(author_name__icontains=text)
    if _SHA.fullmatch(text):
        build_match |= Q(sha__startswith=text.lower())
    builds = Build.objects.filter(build_match, project__in=projects).select_related("project")
    series = [row for project in projects for row in series_find(project=project, text=text)[:_MOST]]
    incidents = Incident.objects.filter(
        Q(build__sha__startswith=slug) | Q(build__subject__icontains=text) | Q(note__icontains=text),
        project__in=projects,
    ).select_related("project", "build")
    return Found(
        named[:_MOST],
        list(builds.order_by("-received_at")[:_MOST]),
        series[:_MOST],
        list(incidents.order_by("-opened_at")[:_MOST]),
    )
