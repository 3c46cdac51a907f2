"""The thin Celery tasks of this room."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from perfsite.runs.plan import builds_plan
from perfsite.runs.sweep import leases_expire, pins_release, workers_wake


@shared_task(name="runs.plan")
def plan(**_: Any) -> None:
    """Plan what was received."""
    builds_plan()


@shared_task(name="runs.sweep")
def sweep(**_: Any) -> None:
    """Repair: expire leases, plan what was forgotten, wake for what waits."""
    leases_expire()
    pins_release()
    builds_plan()
    workers_wake()
