"""The API of any two sides against each other: builds, branches, device classes, precisions or runners.

Values are in their metric's unit (SI); `relative` is new over base minus one.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from perfsite.access.auth import READERS
from perfsite.access.readers import row_seen
from perfsite.core.errors import NotFoundError
from perfsite.dashboards.charts.comparing import Pair, doubts_of
from perfsite.dashboards.selectors.compare import WAYS, differences_read, sides_read, verdicts_told
from perfsite.runs.models import Project

router = Router(auth=READERS, tags=["tables"])

_ROWS_MOST = 500


class SidesAsk(Schema):
    """What differs and its two values: commits or their beginnings where builds are compared."""

    by: str = Field("build", max_length=20, description=" or ".join(WAYS), examples=["precision"])
    base: str = Field(min_length=1, max_length=200, examples=["fp32"])
    new: str = Field(min_length=1, max_length=200, examples=["fp16"])
    q: str = Field("", max_length=200, description="Words that must be in a series' names.")
    limit: int = Field(100, ge=1, le=_ROWS_MOST, description="Rows at most, of each model the surest first.")


class MeanOut(Schema):
    """A geometric mean of changes, above zero is worse, with its 95 % interval where it is known."""

    relative: float
    low: float | None
    high: float | None
    count: int


class SideOut(Schema):
    """A point of one side."""

    series_id: int
    build_id: int
    value: float
    low: float | None
    high: float | None
    n: int
    unstable: bool
    environment_id: int | None


class SidesRowOut(Schema):
    """One case and metric of both sides; `told` is what the service itself decided, `doubts` say why they
    are hard to compare."""

    case: dict[str, str] = Field(examples=[{"model": "resnet50", "metric": "latency_p50"}])
    base: SideOut
    new: SideOut
    relative: float | None
    low: float | None
    high: float | None
    kind: str = Field(examples=["regressed"])
    told: str
    doubts: list[str]


class SidesGroupOut(Schema):
    """One model."""

    name: str = Field(examples=["resnet50"])
    mean: MeanOut | None
    counts: dict[str, int] = Field(examples=[{"regressed": 1, "improved": 0, "same": 7, "unknown": 0}])


class EnvironmentsOut(Schema):
    """Facts that differ between two environments, before and after, and how many pairs that concerns."""

    changed: dict[str, tuple[Any, Any]] = Field(examples=[{"driver": ["570.1", "580.2"]}])
    count: int
    device_classes: str


class SidesOut(Schema):
    """The comparison; `left` counts rows that were too many."""

    by: str
    base: str
    new: str
    counts: dict[str, int] = Field(examples=[{"regressed": 1, "improved": 0, "same": 7, "unknown": 0}])
    mean: MeanOut | None
    only_base: int
    only_new: int
    groups: list[SidesGroupOut]
    rows: list[SidesRowOut]
    left: int
    environments: list[EnvironmentsOut]


@router.get("/projects/{slug:slug}/compare/sides", response=SidesOut)
def compare_sides(request: HttpRequest, slug: str, ask: Query[SidesAsk]) -> dict[str, Any]:
    """Any two builds, branches, device classes, precisions or runners of a project against each other."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    if ask.by not in WAYS:
        raise NotFoundError(f"{ask.by[:60]!r} cannot be compared; {', '.join(WAYS)} can")
    found = sides_read(project=project, way=ask.by, base=ask.base, new=ask.new, text=ask.q)
    told = verdicts_told(pairs=found.pairs)
    differences = differences_read(pairs=found.pairs)
    pairs = [pair for group in found.groups for pair in group.pairs]
    return {
        "by": ask.by,
        "base": ask.base,
        "new": ask.new,
        "counts": found.counts,
        "mean": found.mean,
        "only_base": found.only_base,
        "only_new": found.only_new,
        "groups": [vars(group) for group in found.groups],
        "rows": [_row(pair, told.get(pair.new.series_id, "")) for pair in pairs[: ask.limit]],
        "left": max(0, len(pairs) - ask.limit),
        "environments": [
            {
                "changed": {name: (before, after) for name, before, after in row.changed},
                "count": row.count,
                "device_classes": row.cases,
            }
            for row in differences
        ],
    }


def _row(pair: Pair, told: str) -> dict[str, Any]:
    relative, low, high = pair.change
    return {
        "case": dict(pair.case),
        "base": vars(pair.base),
        "new": vars(pair.new),
        "relative": relative,
        "low": low,
        "high": high,
        "kind": pair.kind,
        "told": told,
        "doubts": doubts_of(pair),
    }
