"""What is old enough goes: raw samples and files, points where a project says so, files nobody names.

Never what an open incident needs: every build of its range, and whatever its regressions and breaches of
service levels rest on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.core.files.storage import Storage, default_storage
from django.db.models import Q
from django.utils import timezone

from perfsite.keeping.models import RAW_DAYS, Term
from perfsite.regressions.incident_states import OPEN_STATES
from perfsite.regressions.models import Incident, LevelStanding, Regression
from perfsite.results.models import Artifact, Measurement
from perfsite.runs.models import Build, Project

log = logging.getLogger(__name__)

_AT_ONCE = 1000
# a file is stored before its row is written: a young one may be about to be named
_ORPHAN_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Removed:
    """How many artifacts (rows), points, and files that nobody named any more."""

    artifacts: int = 0
    points: int = 0
    files: int = 0


def retention_apply() -> Removed:
    """Remove what every project's term allows; safe to stop and to run twice."""
    artifacts = points = 0
    for project in Project.objects.all():
        term = Term.objects.filter(project=project).first() or Term(project=project, raw_days=RAW_DAYS)
        needed = builds_needed(project=project)
        if term.raw_days is not None:
            artifacts += _artifacts_remove(project, term.raw_days, needed)
        if term.point_days is not None:
            points += _points_remove(project, term.point_days, needed)
    removed = Removed(artifacts, points, orphans_remove(storage=default_storage))
    log.info("retention: %s", removed)
    return removed


def builds_needed(*, project: Project) -> set[int]:
    """The builds that open incidents of a project rest on."""
    needed: set[int] = set()
    opened = Incident.objects.filter(project=project, state__in=OPEN_STATES)
    for incident in opened.select_related("build", "range_start"):
        needed |= {incident.build_id, incident.range_start_id}
        first, last = incident.range_start.ordinal, incident.build.ordinal
        if first is not None and last is not None:
            between = Build.objects.filter(project=project, branch=incident.build.branch)
            needed |= set(between.filter(ordinal__range=(first, last)).values_list("pk", flat=True))
        for row in Regression.objects.filter(incident=incident).select_related("verdict"):
            needed |= {key for key in (row.build_id, row.verdict.base_id) if key is not None}
        needed |= set(incident.standings.values_list("build_id", flat=True))
    return needed


def _artifacts_remove(project: Project, days: int, needed: set[int]) -> int:
    """Rows only; their files go with the orphans, when no other row names them."""
    old = Artifact.objects.filter(
        job__run__build__project=project, stored_at__lt=timezone.now() - timedelta(days=days)
    ).exclude(job__run__build__in=needed)
    removed = 0
    while keys := list(old.values_list("pk", flat=True)[:_AT_ONCE]):
        removed += len(keys)
        Artifact.objects.filter(pk__in=keys).delete()
    return removed


def _points_remove(project: Project, days: int, needed: set[int]) -> int:
    """Points of old builds, never of a series that an open incident shows."""
    opened = {"incident__project": project, "incident__state__in": OPEN_STATES}
    shown = Regression.objects.filter(**opened).values("series")
    breached = LevelStanding.objects.filter(**opened).values("series")
    old = Measurement.objects.filter(
        series__project=project, build__received_at__lt=timezone.now() - timedelta(days=days)
    ).exclude(Q(build__in=needed) | Q(series__in=shown) | Q(series__in=breached))
    removed = 0
    while keys := list(old.values_list("pk", flat=True)[:_AT_ONCE]):
        removed += len(keys)
        Measurement.objects.filter(pk__in=keys).delete()
    return removed


def orphans_remove(*, storage: Storage) -> int:
    """Delete files that no row names and that are older than a day; returns how many."""
    removed = 0
    try:
        folders, _ = storage.listdir("")
    except FileNotFoundError:
        return 0
    for folder in folders:
        _, names = storage.listdir(folder)
        paths = [f"{folder}/{name}" for name in names]
        named = set(Artifact.objects.filter(file__in=paths).values_list("file", flat=True))
        for path in sorted(set(paths) - named):
            young = storage.get_modified_time(path) > timezone.now() - _ORPHAN_AGE
            if young or Artifact.objects.filter(file=path).exists():
                continue
            storage.delete(path)
            removed += 1
    return removed
