"""The sweeper: repairs what a dead worker, a lost message or a restart left undone."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from perfsite.core.publish import wake
from perfsite.runs.lease import attempt_lose
from perfsite.runs.models import Attempt, Job, SiteStart, Worker
from perfsite.runs.selectors import device_classes_waiting
from perfsite.runs.services import PRIORITY_BEHIND, PRIORITY_HEAD
from workers.messages import WAKE_TASK, queue_name

log = logging.getLogger(__name__)

# a worker that is restarted or upgraded is back by then
_PIN_PATIENCE = timedelta(minutes=10)
_AGED = timedelta(minutes=30)


def site_started() -> None:
    """Note that the site came up: workers get a full term to reach it before leases expire."""
    SiteStart.objects.update_or_create(pk=1, defaults={"started_at": timezone.now()})


def sweep_noted() -> None:
    """Note that the sweeper runs: `/readyz` and an alert tell when it does not."""
    SiteStart.objects.filter(pk=1).update(swept_at=timezone.now())


def leases_expire() -> int:
    """Take jobs from attempts whose lease ran out; returns how many.

    Not while the site is up for less than a term: its absence would be taken for the workers'.
    """
    now = timezone.now()
    term = timedelta(seconds=settings.LEASE_SECONDS)
    if SiteStart.objects.filter(started_at__gt=now - term).exists():
        return 0
    late = Attempt.objects.filter(state="running", lease_expires_at__lt=now)
    lost = 0
    for attempt in late.select_related("worker"):
        silence = (now - attempt.heartbeat_at).total_seconds()
        reason = f"worker {attempt.worker.name} was silent for {silence:.0f} s"
        lost += attempt_lose(attempt=attempt, reason=reason, expired_at=now)
    if lost:
        log.warning("%d lost attempts: their jobs are queued again", lost)
    return lost


def pins_release() -> int:
    """Let any device of the class take a job whose own device is gone; returns how many."""
    since = timezone.now() - _PIN_PATIENCE
    alive = Worker.objects.filter(last_seen__gte=since).values("device_uuid")
    stuck = Job.objects.filter(state="queued", created_at__lt=since).exclude(pin="").exclude(pin__in=alive)
    return stuck.update(pin="")


def priorities_age() -> int:
    """Let commits behind a head go with the heads once they waited long; returns how many.

    Heads that keep coming would starve them, and the screen waits for the commits in between.  For
    soaks and schedules nobody waits.
    """
    since = timezone.now() - _AGED
    behind = Job.objects.filter(
        state="queued", created_at__lt=since, priority__lt=PRIORITY_HEAD, priority__gte=PRIORITY_BEHIND
    )
    return behind.exclude(kind=Job.Kind.SOAK).update(priority=PRIORITY_HEAD)


def workers_wake() -> list[str]:
    """Wake the workers of every class that has a queued job and a worker to hear it; returns the classes."""
    since = timezone.now() - _PIN_PATIENCE
    alive = set(Worker.objects.filter(last_seen__gte=since).values_list("device_class", flat=True))
    classes = [name for name in device_classes_waiting() if name in alive]
    for device_class in classes:
        wake(WAKE_TASK, queue=queue_name(device_class))
    return classes
