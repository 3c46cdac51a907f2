"""A project's schedules with their newest turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Prefetch, Q, QuerySet

from perfsite.runs.calendar import days_words
from perfsite.runs.models import Project, Schedule, ScheduleTurn
from perfsite.runs.schedule_turns import schedules_spent
from perfsite.runs.states import JOB_ENDED

_TURNS = 5


@dataclass(frozen=True)
class ScheduleRow:
    """A schedule as the page shows it; `spent` are device minutes of its local day."""

    schedule: Schedule
    when: str
    spent: float
    turns: list[ScheduleTurn]


def schedules_of(*, project: Project) -> QuerySet[Schedule]:
    """The schedules by their next due time, paused ones last, for `schedules_rows`."""
    ended = Count("jobs", filter=Q(jobs__job__state__in=JOB_ENDED))
    turns = ScheduleTurn.objects.annotate(ended_count=ended).select_related("schedule", "build")
    newest = Prefetch("turns", turns.order_by("-id")[:_TURNS], to_attr="newest")
    rows = Schedule.objects.filter(project=project).prefetch_related(newest)
    return rows.order_by("-is_active", "due_at", "id")


def schedules_rows(schedules: Sequence[Schedule], *, now: datetime) -> list[ScheduleRow]:
    """Schedules as the page shows them."""
    spent = schedules_spent(schedules, now)
    return [
        ScheduleRow(
            schedule=row,
            when=f"{days_words(row.days)} at {row.at:%H:%M}, {row.time_zone}",
            spent=spent[row.pk],
            turns=row.newest,  # type: ignore[attr-defined]  # prefetched
        )
        for row in schedules
    ]
