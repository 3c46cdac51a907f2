"""The thin Celery tasks of this room; they are also on the beat schedule, which repairs a lost wake-up."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from perfsite.pulls.plan import heads_plan
from perfsite.pulls.telling import heads_tell


@shared_task(name="pulls.plan")
def plan(**_: Any) -> None:
    """Plan the heads that were received."""
    heads_plan()


@shared_task(name="pulls.tell")
def tell(**_: Any) -> None:
    """Tell the forges what changed."""
    heads_tell()
