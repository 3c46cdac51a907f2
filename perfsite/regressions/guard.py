"""One row that cannot be worked on must not keep the others from it."""

from __future__ import annotations

import logging
from collections.abc import Callable

log = logging.getLogger(__name__)


def guarded(step: Callable[[], int], what: str) -> int:
    """Take one step; 0 when it fails, which the log then tells.  The step undoes what it began."""
    try:
        return int(step())
    except Exception:
        log.exception("%s failed; it is tried again with the next sweep", what)
        return 0
