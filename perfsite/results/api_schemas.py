"""What the API says of series, points, environments, reports and artifacts.

Values are in their metric's unit (SI): seconds, bytes, samples per second.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema
from pydantic import Field

from benchmarks.report import Fact
from perfsite.results.metrics import metric_row
from perfsite.results.models import Series


class SeriesOut(Schema):
    """A series: one metric of one case on one device class over the builds of one branch.

    `better` tells which direction is good, null where the metric only describes; `unit` is null for a
    metric that this release does not know.
    """

    id: int
    branch: str
    device_class: str
    split: str
    model: str = Field(examples=["resnet50"])
    runner: str = Field(examples=["onnxruntime"])
    precision: str = Field(examples=["fp32"])
    shape: str = Field(examples=["b1"])
    suite: str = Field(examples=["latency"])
    metric: str = Field(examples=["latency_p50"])
    unit: str | None = Field(examples=["s"])
    better: str | None = Field(examples=["lower"])

    @staticmethod
    def resolve_unit(row: Series) -> str | None:
        """By the table of metrics."""
        metric = metric_row(row.metric)
        return metric.unit if metric else None

    @staticmethod
    def resolve_better(row: Series) -> str | None:
        """By the table of metrics."""
        metric = metric_row(row.metric)
        return metric.better if metric else None


class PointOut(Schema):
    """A build's value with its 95 % interval and number of samples."""

    ordinal: int
    build_id: int
    job_id: int
    value: float = Field(examples=[0.00812])
    ci_low: float | None
    ci_high: float | None
    n: int
    unstable: bool


class SamplesOut(Schema):
    """Raw samples behind a point, in the metric's unit, the smallest first; `n` is how many were kept."""

    ordinal: int
    build_id: int
    n: int = Field(examples=[1000])
    samples: list[float] = Field(examples=[[0.00801, 0.00812, 0.00833]])


class MeasuredOut(PointOut):
    """A point with the series it belongs to."""

    id: int
    series: SeriesOut


class TrendPoint(Schema):
    """A value at a place of the branch."""

    ordinal: int
    value: float


class TrendOut(SeriesOut):
    """A series with its newest points, the oldest first."""

    points: list[TrendPoint]

    @staticmethod
    def resolve_points(row: Series) -> list[dict[str, float]]:
        """Those that were put on the row when it was read."""
        recent: list[tuple[int, float]] = row.recent  # type: ignore[attr-defined]
        return [{"ordinal": ordinal, "value": value} for ordinal, value in recent]


class EnvironmentOut(Schema):
    """Every fact of a machine and its toolchain; `missing` tells why one is null.

    `split` holds the facts that split series.
    """

    id: int
    sha256: str
    split: str
    facts: dict[str, Fact]
    missing: dict[str, Any]
    first_seen: datetime


class EnvironmentStepOut(Schema):
    """Where the environment of a series changed: from which ordinal on, and the two environments."""

    ordinal: int
    before: int
    after: int
    changed: dict[str, list[Fact]] = Field(description="Fact -> its value before and after.")


class ReportOut(Schema):
    """What a job's report said besides its points; the whole of it is the artifact of kind `report`."""

    id: int
    job_id: int
    kind: str
    environment_id: int
    outcomes: list[dict[str, Any]]
    stages: list[dict[str, Any]]
    remarks: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    received_at: datetime
    screened_at: datetime | None = Field(description="Null until its points have been judged.")


class ArtifactOut(Schema):
    """A file a job made; `size` is in bytes."""

    id: int
    job_id: int
    name: str
    kind: str
    sha256: str
    size: int
    stored_at: datetime
