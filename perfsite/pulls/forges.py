"""Whom to tell of a pull request: a row per forge."""

from __future__ import annotations

from typing import Protocol

from perfsite.alerts.channels import github, gitlab
from perfsite.pulls.table import CheckState
from perfsite.runs.models import Project


class Forge(Protocol):
    """A forge that can be told; both calls raise `DeliveryError` when it did not take it."""

    def status_set(
        self, *, project: Project, sha: str, state: CheckState, description: str, url: str
    ) -> None:
        """Set the check of a commit."""

    def comment_put(
        self, *, project: Project, pull_request: int, body: str, marker: str, known: int | None = None
    ) -> int:
        """Write the one comment of a pull request, or edit it; its id, which is `known` the next time."""


FORGES: dict[str, Forge] = {"github": github, "gitlab": gitlab}
