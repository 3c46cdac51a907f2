"""What differs between two builds layer by layer, as the page of an incident shows it."""

from __future__ import annotations

from typing import Any

from perfsite.regressions.models import Incident, Regression


def layers_shown(*, incident: Incident, worst: Regression | None) -> dict[str, Any] | None:
    """The differences, ranked; None when neither engines nor profiles of both builds are there."""
    return None
