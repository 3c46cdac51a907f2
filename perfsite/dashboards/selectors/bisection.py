"""The search for the guilty commit, as the page of an incident shows it."""

from __future__ import annotations

from typing import Any

from perfsite.regressions.models import Incident, Regression


def bisection_shown(*, incident: Incident, worst: Regression | None) -> dict[str, Any] | None:
    """The bisection of an incident with its plan and steps; None when there is none."""
    return None
