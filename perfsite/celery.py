"""The site's Celery app: its tasks are wake-ups for work the database lists."""

from __future__ import annotations

import os

from celery import Celery
from celery.schedules import schedule

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "perfsite.settings")

from celery.signals import worker_ready
from django.conf import settings
from prometheus_client import start_http_server

from perfsite import observing  # noqa: F401 - it listens to the tasks

app = Celery("perfsite")
app.conf.update(
    broker_url=settings.REDIS_URL,
    task_default_queue="site",
    # the rows say what is left to do: a lost or doubled message harms nothing
    task_acks_late=False,
    task_ignore_result=True,
    result_backend=None,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
    beat_schedule={
        name: {
            "task": name,
            "schedule": schedule(seconds),
            # a late tick is worthless: the next one does the same work
            "options": {"expires": seconds},
        }
        for name, seconds in (
            ("runs.sweep", settings.SWEEP_SECONDS),
            ("regressions.screen", settings.SWEEP_SECONDS),
            ("alerts.tell", settings.SWEEP_SECONDS),
            ("runs.schedules", settings.SWEEP_SECONDS),
            ("pulls.plan", settings.SWEEP_SECONDS),
            ("pulls.tell", settings.SWEEP_SECONDS),
            ("regressions.grade", settings.GRADE_SECONDS),
            ("keeping.retain", settings.KEEP_SECONDS),
            ("keeping.scrub", settings.KEEP_SECONDS),
        )
    },
)
app.autodiscover_tasks(
    ["perfsite.runs", "perfsite.regressions", "perfsite.alerts", "perfsite.pulls", "perfsite.keeping"]
)


@worker_ready.connect
def _metrics_serve(**_: object) -> None:
    """The schedule's own numbers (tasks, the detector), for Prometheus, where a port was given."""
    if settings.SCHEDULE_METRICS_PORT:
        start_http_server(settings.SCHEDULE_METRICS_PORT, addr=settings.SCHEDULE_METRICS_HOST)
