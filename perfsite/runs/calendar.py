"""When a schedule is due: local times of some weekdays in a time zone.  Pure.

A local time that a clock change leaves out is due as much later as the clock was put forward; one that comes
twice is due the first time (PEP 495, fold 0).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def zone_get(name: str) -> ZoneInfo:
    """The time zone called `name`, for example `Europe/Berlin`.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name[:60]!r}; one looks like Europe/Berlin or UTC") from None


def days_read(text: str) -> tuple[int, ...]:
    """Weekdays from `daily`, or names by commas: Monday is 0.

    Raises:
        ValueError: a name is no weekday, or there is none.
    """
    if text.strip().lower() in ("daily", "nightly"):
        return tuple(range(7))
    names = [name.strip().lower()[:3] for name in text.split(",") if name.strip()]
    unknown = next((name for name in names if name not in DAYS), None)
    if unknown is not None or not names:
        raise ValueError(f"days should be `daily` or some of {', '.join(DAYS)}, not {text[:60]!r}")
    return tuple(sorted({DAYS.index(name) for name in names}))


def days_words(days: Collection[int]) -> str:
    """Weekdays for people: `every day`, `Sat, Sun`."""
    return "every day" if len(set(days)) == 7 else ", ".join(DAYS[day].title() for day in sorted(set(days)))


def due_after(moment: datetime, *, at: time, days: Collection[int], zone: ZoneInfo) -> datetime:
    """The first due time after `moment`, in UTC."""
    day = moment.astimezone(zone).date() - timedelta(days=1)
    while True:
        due = _due(day, at, zone)
        if due > moment and day.weekday() in days:
            return due
        day += timedelta(days=1)


def due_before(moment: datetime, *, at: time, days: Collection[int], zone: ZoneInfo) -> datetime:
    """The last due time at or before `moment`, in UTC."""
    day = moment.astimezone(zone).date() + timedelta(days=1)
    while True:
        due = _due(day, at, zone)
        if due <= moment and day.weekday() in days:
            return due
        day -= timedelta(days=1)


def day_start(moment: datetime, zone: ZoneInfo) -> datetime:
    """When the local day of `moment` began, in UTC."""
    return _due(moment.astimezone(zone).date(), time(0), zone)


def _due(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
