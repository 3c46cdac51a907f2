"""The API of schedules: list, add, change, begin a turn now, remove."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from perfsite.access.auth import DELIVERERS, MANAGERS, READERS, actor_of
from perfsite.access.readers import row_owned, row_seen
from perfsite.core.errors import NotFoundError, PerfsiteError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import LocalTime, RowId
from perfsite.runs.calendar import DAYS, days_read
from perfsite.runs.models import Project, Schedule, ScheduleTurn
from perfsite.runs.schedule_turns import schedules_spent
from perfsite.runs.schedules import (
    Timing,
    schedule_add,
    schedule_change,
    schedule_remove,
    schedule_switch,
    turn_now,
)

router = Router(auth=READERS, tags=["schedules"])

_TURNS = 5


class ScheduleIn(Schema):
    """What a project measures by the clock: a local time of some weekdays."""

    name: str = Field(min_length=1, max_length=60, examples=["nightly"])
    what: str = Field(max_length=10, description="full, soak or canary.", examples=["full"])
    at: LocalTime
    days: list[str] = Field(["daily"], min_length=1, max_length=7, examples=[["sat", "sun"]])
    time_zone: str = Field("UTC", max_length=60, examples=["Europe/Berlin"])
    minutes_per_day: float = Field(120.0, gt=0, le=24 * 60 * 64, allow_inf_nan=False)
    device_class: str = Field("", max_length=64, description="Empty: those of `perfsite.toml`.")

    def timing(self) -> Timing:
        """As the service takes it.

        Raises:
            PerfsiteError: a day is none.
        """
        try:
            days = days_read(",".join(self.days))
        except ValueError as error:
            raise PerfsiteError(str(error)) from None
        return Timing(**{**self.model_dump(exclude={"days", "is_active"}), "days": days})


class ScheduleEditIn(ScheduleIn):
    """A schedule, whole: what is left out has its default.  One that is not active is never due."""

    is_active: bool = True


class TurnOut(Schema):
    """One time that a schedule was due; `reason` says why it waits or ended, `wanted` counts its jobs."""

    id: int
    due_at: datetime
    begun_at: datetime
    build_id: int | None
    state: str = Field(examples=["open"])
    reason: str
    wanted: int
    queued: int
    ended_at: datetime | None

    @staticmethod
    def resolve_queued(row: ScheduleTurn) -> int:
        """How many of them were queued; of a list's turns it was counted with them."""
        counted: int | None = row.__dict__.get("queued_count")
        return row.jobs.count() if counted is None else counted


class ScheduleOut(Schema):
    """A schedule with its newest turns; `minutes_spent` is the device time of its local day."""

    id: int
    name: str = Field(examples=["nightly"])
    what: str = Field(examples=["full"])
    at: LocalTime
    days: list[str] = Field(examples=[["sat", "sun"]])
    time_zone: str = Field(examples=["Europe/Berlin"])
    minutes_per_day: float
    minutes_spent: float
    device_class: str
    is_active: bool
    due_at: datetime
    created_by: str
    created_at: datetime
    turns: list[TurnOut]

    @staticmethod
    def resolve_days(row: Schedule) -> list[str]:
        """By name, Monday first."""
        return [DAYS[day] for day in sorted(row.days)]

    @staticmethod
    def resolve_turns(row: Schedule) -> list[ScheduleTurn]:
        """The newest first."""
        newest: list[ScheduleTurn] = row.newest  # type: ignore[attr-defined]  # by `_rows`
        return newest

    @staticmethod
    def resolve_minutes_spent(row: Schedule) -> float:
        """Of its local day."""
        return float(row.spent)  # type: ignore[attr-defined]  # by `_told`


def _rows(project: Project) -> QuerySet[Schedule]:
    turns = ScheduleTurn.objects.annotate(queued_count=Count("jobs")).order_by("-id")[:_TURNS]
    newest = Prefetch("turns", turns, to_attr="newest")
    return Schedule.objects.filter(project=project).select_related("project").prefetch_related(newest)


def _told(rows: Sequence[Schedule]) -> None:
    """Give each schedule the minutes of its day, for its answer."""
    spent = schedules_spent(rows, timezone.now())
    for row in rows:
        row.spent = spent[row.pk]  # type: ignore[attr-defined]  # for this answer alone


def _owned(request: HttpRequest, slug: str) -> Project:
    found: Project = row_owned(request, Project.objects.all(), project="", slug=slug)
    return found


def _schedule(project: Project, schedule_id: int) -> Schedule:
    found = _rows(project).filter(pk=schedule_id).first()
    if found is None:
        raise NotFoundError(f"{project.slug} has no schedule {schedule_id}; /schedules lists those that are")
    _told([found])
    return found


@router.get("/projects/{slug:slug}/schedules", response=Page[ScheduleOut])
def schedules(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The project's schedules, paused ones too."""
    page = page_of(_rows(row_seen(request, Project.objects.all(), project="", slug=slug)), cursor)
    _told(page["items"])
    return page


@router.post("/projects/{slug:slug}/schedules", response={201: ScheduleOut}, auth=MANAGERS)
def schedule_new(request: HttpRequest, slug: str, body: ScheduleIn) -> Status:
    """Add a schedule."""
    project = _owned(request, slug)
    made = schedule_add(project=project, timing=body.timing(), now=timezone.now(), actor=actor_of(request))
    return Status(201, _schedule(project, made.pk))


@router.put("/projects/{slug:slug}/schedules/{schedule_id}", response=ScheduleOut, auth=MANAGERS)
def schedule_put(request: HttpRequest, slug: str, schedule_id: RowId, body: ScheduleEditIn) -> Schedule:
    """Change a schedule, pause it or let it go on; what was due meanwhile is not caught up."""
    project = _owned(request, slug)
    found, now = _schedule(project, schedule_id), timezone.now()
    schedule_change(schedule=found, timing=body.timing(), now=now)
    schedule_switch(schedule=_schedule(project, found.pk), is_active=body.is_active, now=now)
    return _schedule(project, found.pk)


@router.delete("/projects/{slug:slug}/schedules/{schedule_id}", response={204: None}, auth=MANAGERS)
def schedule_delete(request: HttpRequest, slug: str, schedule_id: RowId) -> Status:
    """Remove a schedule with its turns; jobs that it queued stay."""
    schedule_remove(schedule=_schedule(_owned(request, slug), schedule_id))
    return Status(204, None)


@router.post("/projects/{slug:slug}/schedules/{schedule_id}/begin", response=TurnOut, auth=DELIVERERS)
def schedule_begin(request: HttpRequest, slug: str, schedule_id: RowId) -> Any:
    """Begin a turn now: its first jobs are queued within seconds.  A turn that is open ends with it."""
    return turn_now(schedule=_schedule(_owned(request, slug), schedule_id), now=timezone.now())
