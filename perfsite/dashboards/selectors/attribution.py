"""Where a change came from, as the page of an incident shows it."""

from __future__ import annotations

from typing import Any

from perfsite.regressions.models import Incident, Regression


def attribution_shown(*, incident: Incident, worst: Regression | None) -> dict[str, Any] | None:
    """The parts of the change that add up to it; None while they are not known."""
    return None
