"""The Celery side of a worker: one queue, one task, which only rings the station's bell.

The job itself does not run inside the task, so a wake-up is acknowledged at once, nothing of it can
time out at the broker, and no pool is needed (`solo`).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery
from celery.signals import worker_ready

from workers.messages import WAKE_PREFIX, WAKE_TASK

log = structlog.get_logger(__name__)

REST_S = 10.0

SETTINGS: dict[str, Any] = {
    "task_acks_late": False,  # the database is the truth: a lost wake-up costs at most one poll
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "result_backend": None,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_enable_remote_control": False,  # its broadcast queues lie outside the worker's own
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_connection_timeout": 4,
    "broker_transport_options": {
        "global_keyprefix": WAKE_PREFIX,  # kombu's own keys too: none is shared with the site's tasks
        "socket_timeout": 30,
        "socket_connect_timeout": 4,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
}


def celery_build(*, broker: str, queue: str, on_wake: Callable[[], None]) -> Celery:
    """A Celery app that consumes `queue` and calls `on_wake` for each wake-up."""
    app = Celery("workers", broker=broker, set_as_current=False)
    app.conf.update(SETTINGS, task_default_queue=queue)

    @app.task(name=WAKE_TASK, shared=False)
    def wake(**_newer: Any) -> None:  # a newer site may send more than this worker knows
        on_wake()

    return app


def wakeups_consume(
    *, broker: str, queue: str, worker: str, on_wake: Callable[[], None], on_ready: Callable[[], None]
) -> None:
    """Consume wake-ups for the rest of the process's life; never raises.

    `on_ready` is called each time the consumer is connected.  A broker that is away is tried again
    for ever; meanwhile the station asks on its own.
    """

    def ready(**_signal: Any) -> None:
        on_ready()

    worker_ready.connect(ready, weak=False)
    app = celery_build(broker=broker, queue=queue, on_wake=on_wake)
    while True:
        try:
            app.Worker(
                pool="solo",
                concurrency=1,
                queues=[queue],
                hostname=f"{worker}@{platform.node()}",
                quiet=True,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
                loglevel="WARNING",
            ).start()
        except (Exception, SystemExit) as error:
            log.warning("wake-ups are not consumed", reason=f"{type(error).__name__}: {error}")
        time.sleep(REST_S)
