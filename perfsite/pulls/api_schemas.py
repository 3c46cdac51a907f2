"""What the API says of pull requests.  `relative` is head over base minus one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema
from pydantic import Field

from perfsite.pulls.models import PullHead, PullRequest


class PullOut(Schema):
    """A pull request (GitLab calls it a merge request), as its forge last told of it."""

    id: int
    forge: str = Field(examples=["github"])
    number: int = Field(examples=[7])
    title: str = Field(examples=["Fuse the last two layers"])
    url: str
    author: str = Field(examples=["ada"])
    base_branch: str = Field(examples=["main"])
    from_fork: bool
    is_open: bool
    opened_at: datetime
    updated_at: datetime | None
    head_id: int | None
    head_sha: str = Field(description="Of its newest version; empty where none is known.")
    head_state: str = Field(examples=["waiting"])

    @staticmethod
    def resolve_head_id(row: PullRequest) -> int | None:
        """Of its newest version."""
        head = _newest(row)
        return head.pk if head else None

    @staticmethod
    def resolve_head_sha(row: PullRequest) -> str:
        """Of its newest version."""
        head = _newest(row)
        return head.sha if head else ""

    @staticmethod
    def resolve_head_state(row: PullRequest) -> str:
        """One of received, waiting, planned, skipped, failed, superseded; empty for none."""
        head = _newest(row)
        return head.state if head else ""


def _newest(row: PullRequest) -> PullHead | None:
    return next(iter(row.heads.all()), None)


class PullRowOut(Schema):
    """One metric of one case; only a row that `decides` can fail the check.  Values in the metric's unit."""

    case: str = Field(examples=["resnet50/tensorrt/fp16/b1"])
    metric: str = Field(examples=["latency_p50"])
    device_class: str = Field(examples=["h100"])
    base: float
    head: float
    relative: float = Field(examples=[0.069])
    low: float | None
    high: float | None
    word: str = Field(examples=["worse"])
    pairs: int
    decides: bool


class HeadOut(Schema):
    """One version of a pull request and what its comparisons with the merge base said.

    `check` is what its forge is told: pending, success, failure, error; `limit` the smallest relative
    change that fails it; `missing` has a sentence for each comparison that ended without a result.
    """

    id: int
    sha: str = Field(examples=["3fa9c1d2a7b84e0f5c6d7e8f90a1b2c3d4e5f607"])
    state: str = Field(examples=["planned"])
    reason: str
    base_sha: str | None
    build_id: int | None
    limit: float
    approved_by: str
    approved_at: datetime | None
    received_at: datetime
    check: str = Field(examples=["success"])
    counts: dict[str, int] = Field(examples=[{"worse": 0, "same": 24}])
    missing: list[str]
    rows: list[PullRowOut]


class PullDetailOut(PullOut):
    """A pull request with its versions, the newest first."""

    heads: list[HeadOut]

    @staticmethod
    def resolve_heads(row: PullRequest) -> list[dict[str, Any]]:
        """Those that were put on the row when it was read."""
        told: list[dict[str, Any]] = row.told_heads  # type: ignore[attr-defined]
        return told


class ApproveIn(Schema):
    """Let this very commit of a fork run; `trust_author`: also whatever its author pushes next."""

    trust_author: bool = False


class TrustedAuthorOut(Schema):
    """Whose forks run without another approval."""

    id: int
    forge: str = Field(examples=["github"])
    author: str = Field(examples=["ada"])
    approved_by: str
    approved_at: datetime
