"""Schedules: what a project measures by the clock.  Due times are rows; a missed one is caught up once.

Writes of schedules and their turns; what a turn queues is in `schedule_turns.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db import IntegrityError, transaction

from perfsite.core.errors import ConflictError, NotFoundError, PerfsiteError
from perfsite.runs.calendar import due_after, due_before, zone_get
from perfsite.runs.models import Project, Schedule, ScheduleTurn

_MOST_MINUTES = 24 * 60 * 64


@dataclass(frozen=True)
class Timing:
    """What a schedule measures and when: a local time of some weekdays (Monday is 0) in a time zone.

    `minutes_per_day` bounds the device time of a local day; no `device_class`: those of `perfsite.toml`.
    """

    name: str
    what: str
    at: time
    days: Collection[int]
    time_zone: str = "UTC"
    minutes_per_day: float = 120.0
    device_class: str = ""

    def columns(self, *, now: datetime) -> dict[str, Any]:
        """As the row keeps it; due for the first time after `now`.

        Raises:
            PerfsiteError: a value makes no sense.
        """
        try:
            zone = zone_get(self.time_zone)
        except ValueError as error:
            raise PerfsiteError(str(error)) from None
        if self.what not in Schedule.What.values:
            raise PerfsiteError(f"unknown kind {self.what!r}; known: {', '.join(Schedule.What.values)}")
        if not self.days or not set(self.days) <= set(range(7)):
            raise PerfsiteError("a schedule needs at least one weekday")
        if not 0 < self.minutes_per_day <= _MOST_MINUTES:
            raise PerfsiteError("the device minutes a day should be more than 0")
        if not self.name.strip() or len(self.name) > 60:
            raise PerfsiteError("a schedule's name has 1 to 60 characters")
        return {
            "name": self.name.strip(),
            "what": self.what,
            "at": self.at.replace(second=0, microsecond=0),
            "days": sorted(set(self.days)),
            "time_zone": self.time_zone,
            "minutes_per_day": self.minutes_per_day,
            "device_class": self.device_class,
            "due_at": due_after(now, at=self.at, days=self.days, zone=zone),
        }


def schedule_add(*, project: Project, timing: Timing, now: datetime, actor: str = "") -> Schedule:
    """Add a schedule; it is due for the first time after `now`.

    Raises:
        PerfsiteError: a value makes no sense.
        ConflictError: the project has one of that name.
    """
    columns = timing.columns(now=now)
    try:
        with transaction.atomic():
            return Schedule.objects.create(project=project, created_by=actor[:150], **columns)
    except IntegrityError:
        raise _taken(project, columns["name"]) from None


def schedule_change(*, schedule: Schedule, timing: Timing, now: datetime) -> None:
    """Measure something else or at another time from now on; a turn that is open goes on.

    Raises:
        PerfsiteError, ConflictError: as `schedule_add`.
    """
    columns = timing.columns(now=now)
    try:
        with transaction.atomic():
            Schedule.objects.filter(pk=schedule.pk).update(**columns)
    except IntegrityError:
        raise _taken(schedule.project, columns["name"]) from None


def _taken(project: Project, name: str) -> ConflictError:
    """The database says whether a name is free, also to two at once."""
    return ConflictError(f"{project.slug} has a schedule {name!r} already; choose another name")


def schedule_switch(*, schedule: Schedule, is_active: bool, now: datetime) -> None:
    """Pause a schedule, or let it go on; what was due while it was paused is not caught up."""
    due = due_after(now, at=schedule.at, days=schedule.days, zone=zone_get(schedule.time_zone))
    Schedule.objects.filter(pk=schedule.pk).update(is_active=is_active, due_at=due)


def schedule_remove(*, schedule: Schedule) -> None:
    """Remove a schedule with its turns; jobs that it queued stay."""
    Schedule.objects.filter(pk=schedule.pk).delete()


def turns_begin(*, now: datetime) -> int:
    """Begin a turn of every schedule that is due; returns how many.

    However many due times were missed, one turn catches up; one that is open still ends with it.
    """
    due = Schedule.objects.filter(is_active=True, due_at__lte=now).values_list("pk", flat=True)
    return sum(_turn_begin(key, now) for key in list(due))


@transaction.atomic
def _turn_begin(schedule_id: int, now: datetime) -> bool:
    schedule = Schedule.objects.select_for_update().filter(pk=schedule_id).first()
    if schedule is None or not schedule.is_active or schedule.due_at > now:
        return False  # another task was first
    when = {"at": schedule.at, "days": schedule.days, "zone": zone_get(schedule.time_zone)}
    ScheduleTurn.objects.filter(schedule=schedule, state="open").update(
        state="ended", reason="ended by the next turn", ended_at=now
    )
    ScheduleTurn.objects.get_or_create(
        schedule=schedule, due_at=max(schedule.due_at, due_before(now, **when)), defaults={"begun_at": now}
    )
    schedule.due_at = due_after(now, **when)
    schedule.save(update_fields=["due_at"])
    return True


@transaction.atomic
def turn_now(*, schedule: Schedule, now: datetime) -> ScheduleTurn:
    """Begin a turn at a person's wish; the schedule's own times stay as they are.

    Raises:
        NotFoundError: it was removed meanwhile.
    """
    if Schedule.objects.select_for_update().filter(pk=schedule.pk).first() is None:
        raise NotFoundError(f"the schedule {schedule.name!r} was removed")
    ScheduleTurn.objects.filter(schedule=schedule, state="open").update(
        state="ended", reason="ended by a turn that somebody began", ended_at=now
    )
    return ScheduleTurn.objects.create(schedule=schedule, due_at=now, begun_at=now)
