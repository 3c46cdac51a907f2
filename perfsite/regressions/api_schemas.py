"""What the API says of incidents, verdicts and comparisons.  `relative` is after over before minus one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import Field

from perfsite.access.privacy import addresses_hidden, is_insider
from perfsite.core.parameters import ID_MAX
from perfsite.regressions.assigning import assignee_of
from perfsite.regressions.models import Incident, IncidentEvent
from perfsite.regressions.selectors import regressions_ranked
from perfsite.results.api_schemas import PointOut, SeriesOut


class RegressionOut(Schema):
    """One series that got worse: values in the metric's unit."""

    id: int
    series_id: int
    series: str
    build_id: int
    before: float
    after: float
    relative: float
    relative_low: float | None
    relative_high: float | None
    stage: str
    sentence: str


class IncidentOut(Schema):
    """The regressions one build is accused of; of kind `environment` its code is innocent.

    A withdrawn one has `withdrawn_at` and `withdrawn_reason`: later data refuted it.
    """

    id: int
    project: str
    build_id: int
    sha: str
    good_sha: str
    culprit_sha: str | None
    kind: str
    state: str = Field(examples=["untriaged"])
    override: str = Field(description="A person's word; empty: `state` is what the data say.")
    assignee: str = Field(description="Of an e-mail address, strangers see what stands before the @.")
    note: str
    tags: list[str]
    links: list[str]
    due_on: date | None
    merged_into_id: int | None
    original_build_id: int | None = Field(description="Accused first, where a person moved it.")
    opened_at: datetime
    fixed_at: datetime | None
    told_at: datetime | None
    withdrawn_at: datetime | None
    withdrawn_reason: str
    facts: dict[str, Any]
    regressions: list[RegressionOut]

    @staticmethod
    def resolve_assignee(row: Incident, context: dict[str, Any]) -> str:
        """Whom a person named, else the author, else the owner; to strangers without the address's host."""
        found = assignee_of(incident=row)
        known = is_insider(context["request"], row.project_id)
        return found if known else addresses_hidden(found)

    @staticmethod
    def resolve_project(row: Incident) -> str:
        """Its slug."""
        return row.project.slug

    @staticmethod
    def resolve_sha(row: Incident) -> str:
        """The accused commit."""
        return row.build.sha

    @staticmethod
    def resolve_culprit_sha(row: Incident) -> str | None:
        """The commit that a bisection found guilty, if any."""
        return row.culprit.sha if row.culprit else None

    @staticmethod
    def resolve_good_sha(row: Incident) -> str:
        """The last commit known to be good."""
        return row.range_start.sha

    @staticmethod
    def resolve_regressions(row: Incident) -> list[dict[str, object]]:
        """The worst first."""
        told = ("before", "after", "relative", "relative_low", "relative_high", "stage", "sentence")
        return [
            {
                "id": one.pk,
                "series_id": one.series_id,
                "series": one.series.label,
                "build_id": one.build_id,
                **{name: getattr(one.verdict, name) for name in told},
            }
            for one in regressions_ranked(incident=row)
        ]


class EventOut(Schema):
    """What happened to an incident; `actor` is empty where the service did it."""

    id: int
    at: datetime
    actor: str
    code: str
    sentence: str

    @staticmethod
    def resolve_actor(row: IncidentEvent, context: dict[str, Any]) -> str:
        """Who did it; to strangers without the host of an address."""
        return (
            row.actor
            if is_insider(context["request"], row.incident.project_id)
            else addresses_hidden(row.actor)
        )

    @staticmethod
    def resolve_sentence(row: IncidentEvent, context: dict[str, Any]) -> str:
        """What happened; to strangers without the hosts of addresses."""
        known = is_insider(context["request"], row.incident.project_id)
        return row.sentence if known else addresses_hidden(row.sentence)


Reason = Annotated[str, Field(max_length=1000)]
"""Why: it is kept in the event log."""


class TriageIn(Schema):
    """A person's word; a `note` that is null stays as it is."""

    state: str = Field(max_length=30, examples=["confirmed"])
    note: str | None = Field(None, max_length=4000, examples=["Mended in 77aa12."])
    reason: Reason = ""


class TriageManyIn(Schema):
    """One word about many incidents of a project."""

    incidents: list[int] = Field(min_length=1, max_length=200, examples=[[3, 4]])
    state: str = Field(max_length=30, examples=["accepted"])
    reason: Reason = ""


class EditIn(Schema):
    """What is null stays; an empty assignee is the default one again, an empty due date is none."""

    note: str | None = Field(None, max_length=4000)
    assignee: str | None = Field(None, max_length=254, examples=["ada"])
    tags: list[str] | None = Field(None, max_length=50, examples=[["attention"]])
    links: list[str] | None = Field(None, max_length=50, examples=[["https://forge.example/issues/7"]])
    due_on: str | None = Field(None, max_length=10, examples=["2026-12-24"])


class MergeIn(Schema):
    """The incident that takes the regressions."""

    into: int = Field(ge=1, le=ID_MAX, examples=[4])
    reason: Reason = ""


class SplitIn(Schema):
    """The regressions that go, by id, and the build they are about."""

    regressions: list[int] = Field(min_length=1, max_length=1000, examples=[[8]])
    build_id: int = Field(ge=1, le=ID_MAX)
    reason: Reason = ""


class MoveIn(Schema):
    """The build that is accused instead."""

    build_id: int = Field(ge=1, le=ID_MAX)
    reason: Reason = ""


class VerdictOut(Schema):
    """What was decided about a build of a series; the newest of one build and series counts."""

    id: int
    series_id: int
    build_id: int
    base_id: int | None
    job_id: int | None
    kind: str = Field(examples=["regressed"])
    stage: str = Field(examples=["confirmation"])
    before: float
    after: float
    relative: float
    relative_low: float | None
    relative_high: float | None
    sentence: str
    detector: str
    parameters: dict[str, Any]
    created_at: datetime


class StandingOut(Schema):
    """How a build stands.

    `verdict` is empty until it `is_settled`, then `regressed` (also by a breach of a service level alone),
    `improved`, `same`, `unknown`, `unjudged` (nothing to be judged against yet) or `skipped`; `counts` are
    series by verdict, and under `breached` those that breach a service level.
    """

    build_id: int
    sha: str
    is_settled: bool
    verdict: str = Field(examples=["same"])
    reasons: list[str]
    counts: dict[str, int] = Field(examples=[{"same": 24}])
    incident_id: int | None


class CompareRowOut(Schema):
    """One metric of one case of two builds.

    `change` is `worse`, `better`, `same` or `unclear`, by the two intervals; `verdict` is the service's
    own about the newer build, empty for none.
    """

    series: SeriesOut
    base: PointOut
    new: PointOut
    relative: float | None
    change: str
    verdict: str


class CompareOut(Schema):
    """Two builds side by side, the largest change for the worse first.

    `ratio` is the geometric mean over the judged metrics, more than 1 is worse; `only_base` and
    `only_new` count what the other build has not.
    """

    base_id: int
    base_sha: str
    new_id: int
    new_sha: str
    counts: dict[str, int]
    ratio: float | None
    only_base: int
    only_new: int
    rows: list[CompareRowOut]


class RateOut(Schema):
    """`count` of `total` with its exact 95 % interval; null where nothing was counted."""

    count: int
    total: int
    value: float | None
    low: float | None
    high: float | None


class KindOut(Schema):
    """A kind of series: a group of metrics that wobble alike, on one device class."""

    group: str
    device_class: str


class FiguresOut(Schema):
    """How right the service was about one kind of series, or about all (`kind` null)."""

    kind: KindOut | None
    alarms: RateOut
    comparisons: int
    undecided: int
    precision: RateOut
    precision_ever: RateOut
    refuted: RateOut
    confirmed: int
    open_ended: int


class GradingOut(Schema):
    """How right the service was since a moment, and the rule that holds now."""

    since: datetime
    waiting: int
    every: FiguresOut
    kinds: list[FiguresOut]
    rule: dict[str, Any]
