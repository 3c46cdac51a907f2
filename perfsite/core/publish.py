"""Sending wake-ups.  A dead broker never slows the sender: the sweeper repairs what is lost here."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import Any

from celery import Celery
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from workers.messages import WAKE_PREFIX

log = logging.getLogger(__name__)

# with default options a refused or stalled broker held the sender 0.7 s and 30 s
_TIMEOUT_SECONDS = 0.2

_SITE = "site"


def _publisher_make(prefix: str) -> Celery:
    """Sends to queues whose keys at the broker all begin with `prefix`."""
    app = Celery("perfsite-publisher", set_as_current=False)
    app.conf.update(
        broker_url=settings.REDIS_URL,
        result_backend=None,
        broker_connection_timeout=_TIMEOUT_SECONDS,
        broker_transport_options={
            "global_keyprefix": prefix,
            "socket_timeout": _TIMEOUT_SECONDS,
            "socket_connect_timeout": _TIMEOUT_SECONDS,
            "retry_on_timeout": False,
            "max_retries": 0,
        },
    )
    return app


_site = _publisher_make("")
_workers = _publisher_make(WAKE_PREFIX)
_lock = threading.Lock()


def wake(task: str, *, queue: str = _SITE, **kwargs: Any) -> bool:
    """Send the task `task` once to `queue`; False when the broker did not take it within 0.2 s.

    Every queue but the site's own is one of workers, under keys of their own (see `broker_acl.py`).
    """
    publisher = _site if queue == _SITE else _workers
    try:
        with _lock:
            publisher.send_task(task, kwargs=kwargs, queue=queue, retry=False, ignore_result=True)
    except (OperationalError, RedisError, OSError) as error:
        log.warning(
            "the broker did not take the wake-up %s (%s); the sweeper will send it again", task, error
        )
        return False
    return True


def wake_on_commit(task: str, *, queue: str = _SITE, **kwargs: Any) -> None:
    """As `wake`, once the running transaction has been committed; never when it is rolled back."""
    transaction.on_commit(partial(wake, task, queue=queue, **kwargs))
