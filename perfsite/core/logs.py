"""How log lines look: for people, or one JSON object a line with the ids of what they are about."""

from __future__ import annotations

from typing import Any

import structlog

_IDS = ("request", "task", "delivery", "build", "job", "attempt", "worker")


def logging_settings(*, level: str, form: str) -> dict[str, Any]:
    """Django's `LOGGING` for the level and the form `line` or `json`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {form: _FORMS[form]},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": form}},
        "root": {"handlers": ["stderr"], "level": level},
        # httpx logs every request's URL, and some of those are secrets; axes repeats the audit log
        "loggers": {"httpx": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
    }


def _ids_appended(logger: Any, method: str, event: dict[str, Any]) -> str:
    """`time LEVEL logger: message` with the ids at its end, as `job=7`."""
    head = f"{event['timestamp']} {event['level'].upper():7} {event.get('logger', '')}: {event['event']}"
    ids = " ".join(f"{name}={event[name]}" for name in _IDS if name in event)
    trace = f"\n{event['exception']}" if event.get("exception") else ""
    return f"{head} [{ids}]{trace}" if ids else head + trace


def _formatter(*processors: Any) -> dict[str, Any]:
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(allow=_IDS),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            *processors,
        ],
    }


_FORMS: dict[str, dict[str, Any]] = {
    "line": _formatter(_ids_appended),
    "json": _formatter(structlog.processors.JSONRenderer(default=str)),
}
