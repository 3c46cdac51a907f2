"""The thin Celery task of this room; it is also on the beat schedule, which repairs a lost wake-up."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from perfsite.alerts.services import incidents_tell


@shared_task(name="alerts.tell")
def tell(**_: Any) -> None:
    """Tell of the incidents that are due, and try again what failed."""
    incidents_tell()
