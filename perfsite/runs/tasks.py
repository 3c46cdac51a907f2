"""The thin Celery tasks of this room."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from perfsite.core.publish import wake
from perfsite.runs.files import files_due, files_plan
from perfsite.runs.plan import builds_due, builds_plan
from perfsite.runs.schedule_turns import turns_step
from perfsite.runs.schedules import turns_begin
from perfsite.runs.sweep import leases_expire, pins_release, priorities_age, sweep_noted, workers_wake


@shared_task(name="runs.plan")
def plan(**_: Any) -> None:
    """Plan what was received."""
    files_plan()
    builds_plan()


@shared_task(name="runs.sweep")
def sweep(**_: Any) -> None:
    """Repair: expire leases, free what is stuck, wake for what waits.

    Planning is only woken: a repository that does not answer must hold up nothing else.
    """
    leases_expire()
    pins_release()
    priorities_age()
    workers_wake()
    sweep_noted()
    if builds_due() or files_due().exists():
        wake("runs.plan")


@shared_task(name="runs.schedules")
def schedules(**_: Any) -> None:
    """Begin what is due by the clock, and go on with what is under way."""
    now = timezone.now()
    turns_begin(now=now)
    turns_step(now=now)
