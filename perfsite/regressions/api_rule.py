"""The API of a project's rule of detection: what holds, its history, a dry run of another, changing it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from perfsite.access.auth import MACHINES_AND_PEOPLE, MANAGERS, READERS, actor_of
from perfsite.access.readers import row_owned, row_seen
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import ID_MAX
from perfsite.regressions.grading.dry_run import PAGE_POINTS, DryRun, Side, Told, dry_run
from perfsite.regressions.grading.rules import (
    BOUNDS,
    DEFAULTS,
    RELEVANT_HELP,
    rule_change,
    rule_newest,
    rule_now,
    rule_with,
)
from perfsite.regressions.models import RuleChange
from perfsite.runs.models import Project

router = Router(auth=READERS, tags=["grading"])

_LISTED = 100
_RELEVANT = {"latency_p50": 0.05, "resnet50/onnxruntime/*/*:latency_p50": 0.08}


class ParametersIn(Schema):
    """Parameters that are to differ from those that hold; null stays.

    `relevant` is the smallest change worth telling by key, 0.05 is 5 %; null there takes the key away.
    """

    score: float | None = Field(None, allow_inf_nan=False, examples=[5.0], description=BOUNDS["score"][2])
    alpha: float | None = Field(None, allow_inf_nan=False, examples=[0.01], description=BOUNDS["alpha"][2])
    max_pairs: int | None = Field(None, ge=0, le=10_000, examples=[40], description=BOUNDS["max_pairs"][2])
    relevant: dict[str, float | None] = Field(
        {}, max_length=200, examples=[_RELEVANT], description=f"A key is {RELEVANT_HELP}."
    )

    def changes(self) -> dict[str, Any]:
        """Only what differs."""
        given = {name: getattr(self, name) for name in BOUNDS if getattr(self, name) is not None}
        return {**given, "relevant": self.relevant}


class RuleChangeIn(ParametersIn):
    """A change of the rule; `since` is the id of the change that the caller saw, null for the defaults."""

    reason: str = Field(min_length=1, max_length=1000, examples=["Quieter machines."])
    since: int | None = Field(None, ge=1, le=ID_MAX)


class ParametersOut(Schema):
    """The rule's parameters, all of them."""

    score: float
    alpha: float
    max_pairs: int
    relevant: dict[str, float] = Field(examples=[_RELEVANT], description=f"A key is {RELEVANT_HELP}.")


class RuleNowOut(Schema):
    """The rule that holds, since which change (null: nobody changed it), and the defaults."""

    since: int | None
    parameters: ParametersOut
    defaults: ParametersOut


class RuleChangeOut(Schema):
    """The rule's parameters from a moment on, by whom and why."""

    id: int
    at: datetime
    actor: str
    parameters: dict[str, Any]
    reason: str = Field(examples=["Quieter machines."])


class SideOut(Schema):
    """One rule on the history: suspicions by outcome, comparisons, device minutes (null: not known)."""

    suspicions: int
    counts: dict[str, int] = Field(examples=[{"confirmed": 4, "refuted": 2, "undecided": 0}])
    comparisons: int
    minutes: float | None


class DoubtOut(Schema):
    """A suspicion that only one of the rules has; `assumed`: no answer was on record."""

    series_id: int
    ordinal: int
    relative: float
    outcome: str = Field(examples=["confirmed"])
    assumed: bool


class DryRunOut(Schema):
    """What another rule would have made of the newest history.

    `gained` and `lost` are the first hundred of those counted; `missed` incidents it would not have found,
    `unsure` ones the pairs that were run do not decide, `unfound` ones neither rule finds again here.
    """

    now: ParametersOut
    tried: ParametersOut
    series: int
    series_all: int
    points: int
    assumed: int
    before: SideOut
    after: SideOut
    gained_count: int
    lost_count: int
    gained: list[DoubtOut]
    lost: list[DoubtOut]
    missed: list[int]
    unsure: list[int]
    unfound: int


@router.get("/projects/{slug:slug}/grading/rule", response=RuleNowOut)
def detection_rule(request: HttpRequest, slug: str) -> dict[str, Any]:
    """The parameters that hold now."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    newest = rule_newest(project_id=project.pk)
    return {
        "since": newest.pk if newest else None,
        "parameters": rule_now(project_id=project.pk),
        "defaults": DEFAULTS,
    }


@router.get("/projects/{slug:slug}/grading/changes", response=Page[RuleChangeOut])
def detection_changes(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """Who changed the rule, when and why."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    return page_of(RuleChange.objects.filter(project=project), cursor)


@router.post("/projects/{slug:slug}/grading/try", response=DryRunOut, auth=MACHINES_AND_PEOPLE)
def detection_try(request: HttpRequest, slug: str, body: ParametersIn) -> dict[str, Any]:
    """What other parameters would have made of the newest history; nothing is stored.  It takes seconds."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    tried = rule_with(project_id=project.pk, changes=body.changes())
    return _told(dry_run(project=project, parameters=tried, points=PAGE_POINTS))


@router.put("/projects/{slug:slug}/grading/rule", response=RuleChangeOut, auth=MANAGERS)
def detection_change(request: HttpRequest, slug: str, body: RuleChangeIn) -> RuleChange:
    """Let other parameters hold from now on: the next points are judged by them."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    return rule_change(
        project=project,
        parameters=rule_with(project_id=project.pk, changes=body.changes()),
        actor=actor_of(request),
        reason=body.reason,
        since=body.since,
    )


def _told(found: DryRun) -> dict[str, Any]:
    plain = ("now", "tried", "series", "series_all", "points", "assumed", "unfound")
    return {
        **{name: getattr(found, name) for name in plain},
        "before": _side(found.before),
        "after": _side(found.after),
        "gained_count": len(found.gained),
        "lost_count": len(found.lost),
        "gained": [_doubt(row) for row in found.gained[:_LISTED]],
        "lost": [_doubt(row) for row in found.lost[:_LISTED]],
        "missed": [row.pk for row in found.missed],
        "unsure": [row.pk for row in found.unsure],
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "suspicions": side.suspicions,
        "counts": side.counts,
        "comparisons": side.comparisons,
        "minutes": side.minutes,
    }


def _doubt(row: Told) -> dict[str, Any]:
    names = ("ordinal", "relative", "outcome", "assumed")
    return {"series_id": row.series.pk, **{name: getattr(row.doubt, name) for name in names}}
