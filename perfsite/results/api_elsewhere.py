"""The API for results that were measured elsewhere."""

from __future__ import annotations

import math
from typing import Annotated

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field, field_validator, model_validator
from pydantic.config import JsonDict

from benchmarks.metrics import metric_get
from benchmarks.report import Environment as EnvironmentFacts
from benchmarks.report import Fact
from perfsite.access.auth import REPORTERS
from perfsite.access.readers import row_owned
from perfsite.core.parameters import Ordinal
from perfsite.core.problems import Problem
from perfsite.results.elsewhere import Results, Value, results_store
from perfsite.runs.api_orders import BuildIn
from perfsite.runs.models import Project

router = Router(auth=REPORTERS, tags=["results"])

_EXAMPLE: JsonDict = {
    "sha": "3fa9c1d2a7b84e0f5c6d7e8f90a1b2c3d4e5f607",
    "ordinal": 412,
    "device_class": "ci-runner",
    "generator": "pytest-benchmark 5.3.1",
    "facts": {"cpu_model": "AMD EPYC", "python": "3.11.7"},
    "measurements": [
        {"model": "tokenizer", "runner": "pytest", "metric": "latency_p50", "value": 0.00123, "n": 400}
    ],
}

Number = Annotated[float, Field(ge=-1e300, le=1e300)]


class MeasurementIn(Schema):
    """One value, in the unit of its metric (SI: seconds, bytes, per second).

    `metric` is a row of `python -m benchmarks list`, or `evaluate.lower.NAME` or `evaluate.higher.NAME`
    for one of your own.  `n` counts the raw samples behind it: a percentile of few is not judged.
    """

    model: str = Field(min_length=1, max_length=100)
    runner: str = Field(min_length=1, max_length=30)
    precision: str = Field("", max_length=20)
    shape: str = Field("b1", min_length=1, max_length=200)
    suite: str = Field("elsewhere", min_length=1, max_length=30)
    metric: str = Field(max_length=60)
    value: Number
    ci_low: Number | None = None
    ci_high: Number | None = None
    n: int = Field(1, ge=1, le=2**31 - 1)
    unstable: bool = False

    @field_validator("metric")
    @classmethod
    def _known(cls, name: str) -> str:
        metric_get(name)
        return name

    @model_validator(mode="after")
    def _ordered(self) -> MeasurementIn:
        low = -math.inf if self.ci_low is None else self.ci_low
        high = math.inf if self.ci_high is None else self.ci_high
        if not low <= self.value <= high:
            raise ValueError(
                f"the value {self.value} is not inside its interval [{self.ci_low}, {self.ci_high}]"
            )
        return self


class ResultsIn(BuildIn):
    """What was measured of a commit.

    `ordinal` is its place on the branch: `git rev-list --count --first-parent SHA`; it may be left out
    where the site knows the commit, and where all of a branch comes this way in order.  `facts` are of the
    machine and its toolchain; `gpu_name`, or else `cpu_model`, splits series.
    """

    model_config = {"json_schema_extra": {"examples": [_EXAMPLE]}}

    ordinal: Ordinal | None = None
    device_class: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    generator: str = Field("", max_length=100)
    facts: dict[str, Fact] = Field({}, max_length=500)
    measurements: list[MeasurementIn] = Field(min_length=1, max_length=10_000)

    def results(self, project: Project) -> Results:
        """As the site stores them."""
        return Results(
            commit=self.commit(),
            branch=self.branch or project.branch,
            ordinal=self.ordinal,
            device_class=self.device_class,
            generator=self.generator,
            environment=EnvironmentFacts(facts=self.facts),
            values=[Value(**one.model_dump()) for one in self.measurements],
        )


class AcceptedOut(Schema):
    """What became of it: `stored` is false when the same was sent before.

    `points` were new; of `known` series this build has a point already, which stays.
    """

    build_id: int
    run_id: int
    job_id: int
    stored: bool
    points: int
    known: int


@router.post("/projects/{slug:slug}/results", response={200: AcceptedOut, 201: AcceptedOut, 409: Problem})
def results(request: HttpRequest, slug: str, body: ResultsIn) -> Status:
    """Send results that were measured elsewhere: they are charted and judged like all others.

    Nothing can be run again here, so a change is told by later builds alone, later and more strictly.
    """
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    told = results_store(project=project, results=body.results(project), raw=request.body)
    answer = {"build_id": told.build.pk, "run_id": told.job.run_id, "job_id": told.job.pk}
    counts = {"stored": told.stored, "points": told.points, "known": told.known}
    return Status(201 if told.stored else 200, answer | counts)
