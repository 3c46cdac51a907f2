"""A project's schedules with their newest turns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Prefetch, Q

from perfsite.runs.calendar import days_words
from perfsite.runs.models import Project, Schedule, ScheduleTurn
from perfsite.runs.schedule_turns import minutes_spent
from perfsite.runs.states import JOB_ENDED

_TURNS = 5


@dataclass(frozen=True)
class ScheduleRow:
    """A schedule as the page shows it; `spent` are device minutes of its local day."""

    schedule: Schedule
    when: str
    spent: float
    turns: list[ScheduleTurn]


def schedules_of(*, project: Project, now: datetime) -> list[ScheduleRow]:
    """The schedules by their next due time, paused ones last."""
    ended = Count("jobs", filter=Q(jobs__job__state__in=JOB_ENDED))
    turns = ScheduleTurn.objects.annotate(ended_count=ended).select_related("schedule", "build")
    rows = Schedule.objects.filter(project=project).prefetch_related(Prefetch("turns", turns.order_by("-id")))
    return [_row(row, now) for row in rows.order_by("-is_active", "due_at")]


def _row(schedule: Schedule, now: datetime) -> ScheduleRow:
    turns = list(schedule.turns.all())
    spent = minutes_spent(turns[0], now) if turns else 0.0
    when = f"{days_words(schedule.days)} at {schedule.at:%H:%M}, {schedule.time_zone}"
    return ScheduleRow(schedule, when, spent, turns[:_TURNS])
