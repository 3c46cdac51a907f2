"""The reading API of what is behind an incident: evidence, attribution, bisection, service levels."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from perfsite.access.auth import READERS
from perfsite.access.readers import row_seen
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import RowId
from perfsite.regressions.api_schemas import VerdictOut
from perfsite.regressions.models import Bisection, BisectionStep, Incident, LevelStanding, Verdict
from perfsite.regressions.selectors import attribution_of, bisections_of
from perfsite.results.models import Series
from perfsite.runs.models import Project

router = Router(auth=READERS, tags=["incidents"])


class CauseOut(Schema):
    """One cause of a change and its share; null where it is only named."""

    cause: str = Field(examples=["code"])
    relative: float | None = Field(examples=[0.064])
    low: float | None
    high: float | None
    sentence: str


class AttributionOut(Schema):
    """Where a change came from: the parts add up to `total`, the last is what is unexplained."""

    total: float = Field(examples=[0.069])
    parts: list[CauseOut]
    facts: dict[str, Any]


class VerdictDetailOut(VerdictOut):
    """A verdict with its evidence (`a` and `b` are the pairs, in the metric's unit) and its attribution."""

    evidence: dict[str, Any] = Field(examples=[{"a": [0.0081, 0.0082], "b": [0.0087, 0.0088]}])
    attribution: AttributionOut | None

    @staticmethod
    def resolve_attribution(row: Verdict) -> Any:
        """None while it is not known."""
        return attribution_of(verdict=row)


class BisectionStepOut(Schema):
    """One commit of the search, compared with the last good one; `verdict` is empty until it is known."""

    build_id: int
    sha: str
    ordinal: int | None
    job_id: int | None
    verdict: str = Field(examples=["regressed"])
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    sentence: str

    @staticmethod
    def resolve_sha(row: BisectionStep) -> str:
        """Of the commit."""
        return row.build.sha

    @staticmethod
    def resolve_ordinal(row: BisectionStep) -> int | None:
        """Its place on the branch."""
        return row.build.ordinal


class BisectionOut(Schema):
    """A search for the guilty commit of one series; `good` and `bad` close in on it.

    `hint_sha` is what an earlier search found, which is asked about first.
    `state` is running, found, range or stopped; `reason` says why it ended.
    """

    id: int
    series_id: int
    state: str = Field(examples=["found"])
    reason: str
    good_sha: str
    bad_sha: str
    hint_sha: str | None
    created_at: datetime
    ended_at: datetime | None
    steps: list[BisectionStepOut]

    @staticmethod
    def resolve_series_id(row: Bisection) -> int:
        """What is compared."""
        return row.regression.series_id

    @staticmethod
    def resolve_good_sha(row: Bisection) -> str:
        """The newest commit shown to be good."""
        return row.good.sha

    @staticmethod
    def resolve_bad_sha(row: Bisection) -> str:
        """The oldest commit shown to be bad."""
        return row.bad.sha

    @staticmethod
    def resolve_hint_sha(row: Bisection) -> str | None:
        """None where no search came before."""
        return row.hint.sha if row.hint else None

    @staticmethod
    def resolve_steps(row: Bisection) -> list[BisectionStep]:
        """In branch order."""
        return list(row.steps.select_related("build").order_by("build__ordinal", "id"))


class LevelOut(Schema):
    """How a series stands to a service level, by its newest build; values in the metric's unit.

    `incident_id` is the open breach, `since` when it was met or broken.
    """

    id: int
    series_id: int
    series: str
    level: str = Field(examples=["latency_p99 at_most"])
    direction: str = Field(examples=["at_most"])
    bound: float = Field(examples=[0.08])
    value: float = Field(examples=[0.071])
    is_met: bool
    ordinal: int
    build_id: int
    job_id: int
    incident_id: int | None
    since: datetime

    @staticmethod
    def resolve_series(row: LevelStanding) -> str:
        """For people."""
        return row.series.label


@router.get("/verdicts/{verdict_id}", response=VerdictDetailOut, tags=["verdicts"])
def verdict(request: HttpRequest, verdict_id: RowId) -> Verdict:
    """One verdict with its evidence and where the change came from."""
    return row_seen(request, Verdict.objects.all(), project="series__project", pk=verdict_id)


@router.get("/incidents/{incident_id}/bisections", response=list[BisectionOut])
def bisections(request: HttpRequest, incident_id: RowId) -> list[Bisection]:
    """The searches for the commits that an incident accuses, the first one first."""
    return bisections_of(incident=row_seen(request, Incident.objects.all(), pk=incident_id))


@router.get("/projects/{slug:slug}/levels", response=Page[LevelOut], tags=["service levels"])
def levels(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """How a project's series on its branch stand to their service levels."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    rows = LevelStanding.objects.filter(series__project=project, series__branch=project.branch)
    return page_of(rows.select_related("series"), cursor)


@router.get("/series/{series_id}/levels", response=list[LevelOut], tags=["service levels"])
def series_levels(request: HttpRequest, series_id: RowId) -> list[LevelStanding]:
    """How one series stands to its service levels."""
    found = row_seen(request, Series.objects.all(), pk=series_id)
    return list(LevelStanding.objects.filter(series=found).select_related("series").order_by("bound", "id"))
