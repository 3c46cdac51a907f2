"""What this process does, counted and timed: requests by address, tasks by name; and ids for its logs."""

from __future__ import annotations

import time
import uuid
from typing import Any

from celery.signals import task_failure, task_postrun, task_prerun
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from prometheus_client import Counter, Histogram
from structlog.contextvars import bind_contextvars, clear_contextvars

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
REQUESTS = Histogram(
    "perfsite_request_seconds",
    "answers by address and status; webhooks are view=webhook",
    ("view", "method", "status"),
    buckets=_BUCKETS,
)
TASKS = Histogram(
    "perfsite_task_seconds",
    "tasks of the schedule; the detector is task=regressions.screen",
    ("task",),
    buckets=_BUCKETS,
)
FAILED = Counter("perfsite_task_failures_total", "tasks that raised", ("task",))
_started: dict[str, float] = {}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observing(MiddlewareMixin):
    """Times each answer and gives each request an id that is in all of its log lines and in its answer."""

    def process_request(self, request: HttpRequest) -> None:
        """Begin."""
        request.began = time.perf_counter()  # type: ignore[attr-defined]
        clear_contextvars()
        bind_contextvars(request=uuid.uuid4().hex[:16])

    def process_view(self, request: HttpRequest, view: Any, arguments: Any, values: dict[str, Any]) -> None:
        """The ids an address holds belong to its log lines; an attempt's token is a secret and does not."""
        shown = {name: str(value)[:100] for name, value in values.items() if name not in ("token", "secret")}
        bind_contextvars(**shown)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """End."""
        view = request.resolver_match.view_name if request.resolver_match else "none"
        method = request.method if request.method in _METHODS else "other"
        began = getattr(request, "began", None)
        if began is not None:
            seconds = time.perf_counter() - began
            REQUESTS.labels(view, method, str(response.status_code)).observe(seconds)
        return response


@task_prerun.connect
def _task_begins(task_id: str, task: Any, **_: Any) -> None:
    _started[task_id] = time.perf_counter()
    clear_contextvars()
    bind_contextvars(task=task.name, task_id=task_id)


@task_postrun.connect
def _task_ends(task_id: str, task: Any, **_: Any) -> None:
    if (began := _started.pop(task_id, None)) is not None:
        TASKS.labels(task.name).observe(time.perf_counter() - began)


@task_failure.connect
def _task_failed(sender: Any, **_: Any) -> None:
    FAILED.labels(sender.name).inc()
