"""What comparisons may cost a project in a day, and whether another one may be ordered today.

`[confirmation]` of `perfsite.toml` says how many minutes of devices; a day begins at midnight UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import Q

from perfsite.runs.budget import PULL, SEARCH
from perfsite.runs.models import Attempt, Job
from perfsite.runs.states import JOB_ENDED

MINUTES_PER_DAY = 120.0
_KINDS = (Job.Kind.COMPARE, Job.Kind.PROFILE)
_TYPICAL_MINUTES = 5.0  # of a comparison, until the project has had one
_RECENT = 20


def minutes_spent(*, project_id: int, now: datetime) -> float:
    """Minutes of devices that a project's own runs took since midnight UTC, every try of them.

    Those are comparisons, profiles, and measure jobs that the site ordered for a search; not the
    comparisons of pull requests, whose authors ordered them.
    """
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    own = Q(job__kind__in=_KINDS) | Q(job__spec__backfill=SEARCH)
    tries = Attempt.objects.filter(
        own, Q(ended_at=None) | Q(ended_at__gt=midnight), job__run__build__project_id=project_id
    ).exclude(job__spec__has_key="purpose", job__spec__purpose=PULL)  # a comparison with NULL excludes all
    spans = tries.values_list("claimed_at", "ended_at")
    total = sum(((end or now) - max(start, midnight) for start, end in spans), timedelta())
    return max(total.total_seconds(), 0.0) / 60.0


def day_spent(*, project_id: int, spec: Mapping[str, Any], now: datetime) -> str:
    """Why no comparison may be ordered now, a sentence; empty when one may.

    `spec` is a measure job's order, which holds the project's `confirmation`.  What is ordered already is
    set aside at the usual cost, so that a bad morning does not order a week's work.
    """
    allowed = minutes_allowed(spec)
    if not allowed:
        return "[confirmation] in perfsite.toml allows no device time: minutes_per_day is 0"
    spent = minutes_spent(project_id=project_id, now=now)
    waiting = Job.objects.filter(run__build__project_id=project_id, kind__in=_KINDS, priority__gte=0)
    ordered = (
        waiting.exclude(state__in=JOB_ENDED).exclude(spec__has_key="purpose", spec__purpose=PULL).count()
    )
    aside = ordered * _minutes_typical(project_id) if ordered else 0.0
    if spent + aside < allowed:
        return ""
    if spent >= allowed:
        return (
            f"the {allowed:g} minutes a day that [confirmation] in perfsite.toml allows for comparisons are "
            f"spent ({spent:.0f} today); the next ones are ordered after midnight UTC"
        )
    return (
        f"of the {allowed:g} minutes a day that [confirmation] in perfsite.toml allows for comparisons "
        f"{spent:.0f} are spent, and the {ordered} that are ordered may need the others"
    )


def minutes_allowed(spec: Mapping[str, Any]) -> float:
    """The minutes a day that the project allows; 0 for none."""
    return float(spec.get("confirmation", {}).get("minutes_per_day", MINUTES_PER_DAY))


def _minutes_typical(project_id: int) -> float:
    done = Attempt.objects.filter(
        job__run__build__project_id=project_id, job__kind__in=_KINDS, state="reported"
    ).order_by("-id")
    spans = done.values_list("claimed_at", "ended_at")[:_RECENT]
    seconds = [(end - start).total_seconds() for start, end in spans if end]
    return median(seconds) / 60.0 if seconds else _TYPICAL_MINUTES
