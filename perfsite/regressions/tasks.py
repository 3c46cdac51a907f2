"""The thin Celery task of this room; it is also on the beat schedule, which repairs a lost wake-up."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from perfsite.regressions.services import reports_screen


@shared_task(name="regressions.screen")
def screen(**_: Any) -> None:
    """Screen what came home, order comparisons, settle what they decided."""
    reports_screen()
