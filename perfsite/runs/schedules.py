"""Schedules: what a project measures by the clock.  Due times are rows; a missed one is caught up once.

Writes of schedules and their turns; what a turn queues is in `schedule_turns.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, time

from django.db import transaction

from perfsite.core.errors import PerfsiteError
from perfsite.runs.calendar import due_after, due_before, zone_get
from perfsite.runs.models import Project, Schedule, ScheduleTurn


def schedule_add(
    *,
    project: Project,
    name: str,
    what: str,
    at: time,
    days: Collection[int],
    time_zone: str,
    now: datetime,
    minutes_per_day: float = 120.0,
    device_class: str = "",
    actor: str = "",
) -> Schedule:
    """Add a schedule; it is due for the first time after `now`.

    Raises:
        PerfsiteError: a value makes no sense, or the project has one of that name.
    """
    try:
        zone = zone_get(time_zone)
    except ValueError as error:
        raise PerfsiteError(str(error)) from None
    if what not in Schedule.What.values:
        raise PerfsiteError(f"unknown kind {what!r}; known: {', '.join(Schedule.What.values)}")
    if not days or not set(days) <= set(range(7)):
        raise PerfsiteError("a schedule needs at least one weekday")
    if not 0 < minutes_per_day <= 24 * 60 * 64:
        raise PerfsiteError("the device minutes a day should be more than 0")
    if not name.strip() or len(name) > 60:
        raise PerfsiteError("a schedule's name has 1 to 60 characters")
    if Schedule.objects.filter(project=project, name=name.strip()).exists():
        raise PerfsiteError(f"{project.slug} has a schedule {name.strip()!r} already; choose another name")
    return Schedule.objects.create(
        project=project,
        name=name.strip(),
        what=what,
        at=at.replace(second=0, microsecond=0),
        days=sorted(set(days)),
        time_zone=time_zone,
        minutes_per_day=minutes_per_day,
        device_class=device_class,
        created_by=actor[:150],
        due_at=due_after(now, at=at, days=days, zone=zone),
    )


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
    """Begin a turn at a person's wish; the schedule's own times stay as they are."""
    Schedule.objects.select_for_update().get(pk=schedule.pk)
    ScheduleTurn.objects.filter(schedule=schedule, state="open").update(
        state="ended", reason="ended by a turn that somebody began", ended_at=now
    )
    return ScheduleTurn.objects.create(schedule=schedule, due_at=now, begun_at=now)
