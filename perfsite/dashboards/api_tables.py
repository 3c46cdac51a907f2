"""The API of the tables that pages make of series: grid, hardware, capacity, what moved lately.

Values are in their metric's unit (SI); `relative` is now over before minus one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from perfsite.access.auth import READERS
from perfsite.access.readers import row_seen, rows_seen
from perfsite.core.errors import NotFoundError, PerfsiteError
from perfsite.core.pagination import CURSOR_MAX, LIMIT_DEFAULT, LIMIT_MAX, Cursor, Page, page_ranked
from perfsite.dashboards.charts.capacity import Answer, capacity_answers
from perfsite.dashboards.selectors.grid import SORTS, baseline_of, grid_read, metrics_of
from perfsite.dashboards.selectors.hardware import (
    FACETS,
    hardware_choices,
    hardware_rows,
    loads_read,
)
from perfsite.dashboards.selectors.lately import (
    RANK_COLUMNS,
    SPANS,
    moved_counts,
    moved_since,
    with_ranks,
)
from perfsite.regressions.api_schemas import VerdictOut
from perfsite.regressions.models import Verdict
from perfsite.runs.models import Project

router = Router(auth=READERS, tags=["tables"])

_Rate = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]


class GridAsk(Schema):
    """One metric; what it is held against is a commit, or `back` places before the newest."""

    metric: str = Field("", max_length=60, description="Empty: the first that the project has.")
    base: str = Field("", max_length=64, description="A commit, or its beginning.")
    back: int = Field(100, ge=0, le=2**31 - 1)
    q: str = Field("", max_length=200, description="Words that must be in a series' names.")
    sort: str = Field(SORTS[0], max_length=10, description=" or ".join(SORTS))


class CellOut(Schema):
    """A case: its newest value and change; `tone` is same, none (nothing to be held against), or worse1,
    worse2, better1, better2 by its size."""

    model: str = Field(examples=["resnet50"])
    series_id: int
    value: float
    relative: float | None
    tone: str = Field(examples=["worse1"])


class GridRowOut(Schema):
    """One combination; models that are not measured so have no cell."""

    device_class: str = Field(examples=["h100"])
    runner: str = Field(examples=["tensorrt"])
    precision: str = Field(examples=["fp16"])
    shape: str = Field(examples=["b1"])
    cells: list[CellOut]


class GridOut(Schema):
    """Models by combinations; `left` counts series that were too many."""

    metric: str = Field(examples=["latency_p50"])
    metrics: list[str]
    base_id: int | None
    base_sha: str | None
    models: list[str]
    rows: list[GridRowOut]
    left: int


class CaseAsk(Schema):
    """The case that is compared; an empty part is the first of those that there are.

    `shape` is the batch with every option but the load (`qps`, `p99_bound_ms`): `b1,cache=true`.
    """

    model: str = Field("", max_length=100)
    runner: str = Field("", max_length=100)
    precision: str = Field("", max_length=100)
    shape: str = Field("", max_length=200)


class HardwareCellOut(Schema):
    """The newest value of one metric."""

    metric: str = Field(examples=["latency_p99"])
    value: float
    series_id: int


class HardwareRowOut(Schema):
    """One device class with its newest values of the case."""

    device_class: str = Field(examples=["h100"])
    cells: list[HardwareCellOut]


class HardwareOut(Schema):
    """Device classes side by side for one case, and what each part of a case can be."""

    picked: dict[str, str] = Field(examples=[{"model": "resnet50", "shape": "b1"}])
    choices: dict[str, list[str]] = Field(examples=[{"model": ["resnet50"], "shape": ["b1"]}])
    columns: list[str] = Field(examples=[["latency_p99"]])
    rows: list[HardwareRowOut]


class CapacityAsk(CaseAsk):
    """A bound on the p99 in milliseconds, and the requests a second that are to be served."""

    p99_ms: _Rate = Field(examples=[80])
    qps: _Rate = Field(examples=[180])


class CapacityRowOut(Schema):
    """What one device class can do; `count` are needed, null when no measured load meets the bound.

    `qps` is the highest measured rate within the bound and `p99_s` its p99 in seconds; where none is, the
    lowest measured load.
    """

    device_class: str = Field(examples=["h100"])
    count: int | None = Field(examples=[2])
    qps: float = Field(examples=[120.0])
    p99_s: float = Field(examples=[0.071])
    series_id: int
    received_at: datetime | None = Field(description="When the build came that was measured.")


class CapacityOut(Schema):
    """The fewest devices of each class, by measured loads only, the least first."""

    picked: dict[str, str] = Field(examples=[{"model": "resnet50"}])
    rows: list[CapacityRowOut]


class MovedAsk(Schema):
    """Since when, and what; `rank` is noise (size over noise), size or time, the largest or newest first."""

    since: str = Field("week", max_length=10, description=", ".join(SPANS))
    kind: str = Field("", max_length=10, description="regressed or improved; empty: both.")
    q: str = Field("", max_length=200)
    project: str = Field("", max_length=60, description="A slug; empty: all that the reader may see.")
    rank: str = Field("time", max_length=10, description=", ".join(RANK_COLUMNS))
    before: int | None = Field(
        None,
        ge=0,
        le=CURSOR_MAX,
        description="`next` of the page before, asked for with the same `rank`; the first when not given. "
        "Of equal ranks the newest comes first.",
    )
    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX)


class MovedOut(VerdictOut):
    """A series that moved; `noise` is its change in halves of its interval."""

    project: str = Field(examples=["zoo"])
    sha: str
    series: str
    metric: str = Field(examples=["latency_p50"])
    noise: float
    incident_id: int | None

    @staticmethod
    def resolve_project(row: Verdict) -> str:
        """By its slug."""
        return row.series.project.slug

    @staticmethod
    def resolve_sha(row: Verdict) -> str:
        """Of the build that moved it."""
        return row.build.sha

    @staticmethod
    def resolve_series(row: Verdict) -> str:
        """For people."""
        return row.series.label

    @staticmethod
    def resolve_metric(row: Verdict) -> str:
        """Of the series."""
        return row.series.metric

    @staticmethod
    def resolve_incident_id(row: Verdict) -> int | None:
        """None for what is in no incident."""
        return row.regression.incident_id if hasattr(row, "regression") else None


class MovedPage(Page[MovedOut]):
    """A page of what moved, with how many series got worse and better over all of it."""

    counts: dict[str, int] = Field(examples=[{"regressed": 3, "improved": 5}])


def _project(request: HttpRequest, slug: str) -> Project:
    found: Project = row_seen(request, Project.objects.all(), project="", slug=slug)
    return found


def _one_of(what: str, word: str, known: Any) -> None:
    if word not in known:
        raise PerfsiteError(f"{what} is {word[:40]!r}; it can be {', '.join(known)}")


@router.get("/projects/{slug:slug}/grid", response=GridOut)
def grid(request: HttpRequest, slug: str, ask: Query[GridAsk]) -> dict[str, Any]:
    """One metric of every case, held against an earlier build."""
    project = _project(request, slug)
    _one_of("sort", ask.sort, SORTS)
    metrics = metrics_of(project=project)
    metric = ask.metric or (metrics[0] if metrics else "")
    if metric and metric not in metrics:
        raise PerfsiteError(f"{slug} has no metric {metric!r}; it has {', '.join(metrics) or 'none yet'}")
    base = baseline_of(project=project, sha=ask.base, back=ask.back)
    if ask.base and base is None:
        raise NotFoundError(f"{slug} has no build {ask.base} on {project.branch}")
    found = grid_read(project=project, metric=metric, base=base, text=ask.q, sort=ask.sort)
    rows = [
        {
            **dict(zip(("device_class", "runner", "precision", "shape"), row.names, strict=True)),
            "cells": [
                {"model": model, **vars(cell)}
                for model, cell in zip(found.models, row.cells, strict=True)
                if cell is not None
            ],
        }
        for row in found.rows
    ]
    return {
        "metric": metric,
        "metrics": metrics,
        "base_id": base.pk if base else None,
        "base_sha": base.sha if base else None,
        "models": list(found.models),
        "rows": rows,
        "left": found.left,
    }


def _picked(project: Project, ask: CaseAsk) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The choices, and what is picked of each."""
    choices = hardware_choices(project=project)
    picked = {}
    for name, values in choices.items():
        word = getattr(ask, name)
        if word:
            _one_of(name, word, values)
        picked[name] = word or (values[0] if values else "")
    return choices, picked


@router.get("/projects/{slug:slug}/hardware", response=HardwareOut)
def hardware(request: HttpRequest, slug: str, ask: Query[CaseAsk]) -> dict[str, Any]:
    """Device classes side by side for one case."""
    project = _project(request, slug)
    choices, picked = _picked(project, ask)
    chosen = {name: picked[name] for name in FACETS}
    columns, rows = hardware_rows(project=project, chosen=chosen, shape=picked["shape"])
    told = [
        {
            "device_class": row.device_class,
            "cells": [
                dict(zip(("metric", "value", "series_id"), cell, strict=True)) for cell in row.cells if cell
            ],
        }
        for row in rows
    ]
    return {"picked": picked, "choices": choices, "columns": columns, "rows": told}


@router.get("/projects/{slug:slug}/capacity", response=CapacityOut)
def capacity(request: HttpRequest, slug: str, ask: Query[CapacityAsk]) -> dict[str, Any]:
    """Which device class meets a p99 at a rate of requests, and how many of them."""
    project = _project(request, slug)
    picked = _picked(project, ask)[1]
    chosen = {name: picked[name] for name in FACETS}
    loads = loads_read(project=project, chosen=chosen, shape=picked["shape"])
    rows: list[Answer] = capacity_answers(loads, bound_s=ask.p99_ms / 1e3, qps=ask.qps)
    return {"picked": picked, "rows": rows}


@router.get("/moved", response=MovedPage)
def moved(request: HttpRequest, ask: Query[MovedAsk]) -> dict[str, Any]:
    """What got better or worse lately, by any rank in pages."""
    _one_of("since", ask.since, SPANS)
    _one_of("rank", ask.rank, RANK_COLUMNS)
    _one_of("kind", ask.kind, ("", "regressed", "improved"))
    projects = rows_seen(request, Project.objects.all(), project="")
    if ask.project:
        projects = projects.filter(slug=ask.project)
    asked, moment = list(projects), timezone.now() - SPANS[ask.since]
    rows = moved_since(projects=asked, since=moment, kind=ask.kind, text=ask.q, rank=ask.rank)
    counts = moved_counts(projects=asked, since=moment)
    among = with_ranks(Verdict.objects.filter(series__project__in=asked))
    cursor = Cursor(before=ask.before, limit=ask.limit)
    return {**page_ranked(rows, cursor, by=RANK_COLUMNS[ask.rank], among=among), "counts": counts}
