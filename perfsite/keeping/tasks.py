"""The thin Celery tasks of this room."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from perfsite.keeping.retention import retention_apply
from perfsite.keeping.scrub import artifacts_scrub


@shared_task(name="keeping.retain")
def retain(**_: Any) -> None:
    """Remove what is old enough."""
    retention_apply()


@shared_task(name="keeping.scrub")
def scrub(**_: Any) -> None:
    """Check some stored files."""
    artifacts_scrub()
