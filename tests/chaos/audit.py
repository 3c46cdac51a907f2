"""What the database says at the end: every job once, every report once, no lease held by the dead."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import Any

from django.db.models import Count, Q

from perfsite.results.models import Artifact, Report
from perfsite.runs.models import Attempt, Build, Job, SiteStart
from perfsite.runs.states import JOB_ENDED

OWN_FAULTS = ("timeout", "memory")
"""Failures that the pretended models bring upon themselves."""

Window = tuple[float, float]


def jobs_ended() -> int:
    """How many of the ordered jobs have ended."""
    return Job.objects.filter(kind="measure", state__in=JOB_ENDED).count()


def swept_at() -> float:
    """When the sweeper last ran, in seconds since 1970; 0 before its first time."""
    swept = SiteStart.objects.values_list("swept_at", flat=True).first()
    return swept.timestamp() if swept else 0.0


def audit_make(*, windows: list[Window]) -> dict[str, Any]:
    """The counts; `windows` (seconds since 1970) are when nothing could take a job from the dead."""
    jobs = Job.objects.filter(kind="measure")
    reported = Count("attempts", filter=Q(attempts__state="reported"))
    counted = jobs.annotate(reported=reported)
    failures = Counter(jobs.filter(state="failed").values_list("failure_kind", flat=True))
    return {
        "jobs": jobs.count(),
        "ended": jobs_ended(),
        "reports": Report.objects.filter(job__kind="measure").count(),
        "doubled": counted.filter(reported__gt=1).count(),
        "unfounded": counted.filter(state="done").exclude(reported=1, report__isnull=False).count()
        + counted.exclude(state="done").filter(Q(reported__gt=0) | Q(report__isnull=False)).count(),
        "pointless": jobs.filter(state="done", points__isnull=True).count(),
        "unreadable": sum(not _is_readable(row) for row in Artifact.objects.filter(kind="report")),
        "failed": dict(failures),
        "for_a_person": sum(count for kind, count in failures.items() if kind not in OWN_FAULTS)
        + Build.objects.exclude(state="planned").count(),
        "attempts": Attempt.objects.filter(job__kind="measure").count(),
        "alive_at_end": Attempt.objects.filter(state="running").count(),
        "longest_overdue_s": round(max((_overdue(row, windows) for row in _lost()), default=0.0), 1),
    }


def _is_readable(artifact: Artifact) -> bool:
    try:
        with artifact.file.open("rb") as stored:
            return bool(gzip.decompress(stored.read()))
    except (OSError, EOFError):
        return False


def _lost() -> list[Attempt]:
    """Attempts that the sweep took from the dead."""
    rows = Attempt.objects.filter(state="lost", reason__contains="silent", ended_at__isnull=False)
    return list(rows)


def _overdue(attempt: Attempt, windows: list[Window]) -> float:
    """Seconds that a lease was held beyond its term while it could have been taken away."""
    start, end = attempt.lease_expires_at.timestamp(), attempt.ended_at.timestamp()
    covered, at = 0.0, start
    for first, last in sorted(windows):
        first, last = max(first, at), min(last, end)
        if last > first:
            covered += last - first
            at = last
    return max(0.0, end - start - covered)
