"""How a worker's log looks: for people, or one JSON object a line with the ids of what it is about."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from workers.messages import Order

FORMS = ("line", "json")


def logs_configure(form: str, *, worker: str = "") -> None:
    """Log to standard error as `line` or `json`; each JSON line tells the name of the `worker`, once known.

    What libraries warn of comes in the same form.
    """
    wrapper = structlog.make_filtering_bound_logger(logging.INFO)
    if form == "line":
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr), wrapper_class=wrapper)
        return
    told: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(worker),
    ]
    rendered: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=str),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=told, processors=rendered))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("workers").setLevel(logging.INFO)
    structlog.configure(
        processors=[*told, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=wrapper,
    )


@contextlib.contextmanager
def order_told(order: Order) -> Iterator[None]:
    """Every line of this thread tells which job, attempt and builds it is about."""
    builds = [build.build_id for build in order.builds]
    with bound_contextvars(job=order.job_id, attempt=order.attempt, builds=builds):
        yield


def in_context(work: Callable[[], None]) -> Callable[[], None]:
    """`work` for another thread, whose lines tell the ids that this one's do."""
    context = contextvars.copy_context()
    return lambda: context.run(work)


def _named(worker: str) -> Callable[[Any, str, Any], Any]:
    def name(_logger: Any, _method: str, event: Any) -> Any:
        if worker:
            event["worker"] = worker
        return event

    return name
