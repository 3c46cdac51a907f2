"""The report: what one job sends home.  Immutable, self-describing, readable for years.

Format history (the newest first):
    2  2026-11  cases may have options; readings of the GPU, the canary.  A report of format 1 is one of
                format 2 without them.
    1  2026-11  the first.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmarks.cases import Case, ModelSource
from benchmarks.metrics import metric_get

FORMAT: Final = 2

Fact = str | int | float | bool | None


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Measurement(_Frozen):
    """One metric of one case.

    `value` is in `unit` (SI); `ci_low` and `ci_high` bound it at 95 % where the suite can tell;
    `n` is the number of raw samples behind it, `samples` those samples, in `unit`, shape (n,) or
    evenly thinned to at most 2,000.
    """

    case: Case
    metric: str
    value: float
    unit: str
    ci_low: float | None = None
    ci_high: float | None = None
    n: int = Field(default=1, ge=1)
    samples: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _unit_is_the_metrics(self) -> Measurement:
        unit = metric_get(self.metric).unit
        if self.unit != unit:
            raise ValueError(f"{self.metric} is in {unit!r}, not in {self.unit!r}")
        return self


class Outcome(_Frozen):
    """How one case ended; `reason` is a sentence when it is not `done`."""

    case: Case
    status: Literal["done", "skipped", "failed"]
    reason: str = ""


class Remark(_Frozen):
    """A doubt in a sentence with the remedy; `unstable` marks the points it belongs to."""

    code: str
    sentence: str
    unstable: bool = False
    case: Case | None = None


class Reading(_Frozen):
    """The state of the GPU while a case was measured, `at_s` seconds after the case began.

    `values` holds Hz, °C, W, joules since the driver was loaded and the driver's throttle bits;
    a missing one is None, and the environment says why.
    """

    case: Case | None
    at_s: float
    values: dict[str, float | None]


class CanaryReading(_Frozen):
    """The pinned small computation, before or after the job: its time in seconds, on which clock."""

    when: Literal["before", "after"]
    clock: Literal["cpu", "gpu"]
    seconds: float = Field(gt=0)
    n: int = Field(ge=1)


class Stage(_Frozen):
    """A step of the job and how long it took, in seconds."""

    name: str
    seconds: float


class ArtifactRef(_Frozen):
    """A file the job made: sent beside the report, known by its digest.  `size` is in bytes."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,150}$")
    kind: Literal["onnx", "engine", "log", "profile", "other"]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class Comparison(_Frozen):
    """One metric of one case of two builds, measured in interleaved pairs.

    `a` (the last good build) and `b` (the suspect) hold one value per pair, in the metric's unit.
    `relative` is b over a minus one with its anytime-valid interval; `evidence` is the e-value
    against "no change".
    """

    case: Case
    metric: str
    a: tuple[float, ...]
    b: tuple[float, ...]
    verdict: Literal["regressed", "improved", "same", "unknown"]
    relative: float
    relative_low: float | None
    relative_high: float | None
    evidence: float
    sentence: str


class Environment(_Frozen):
    """Every fact of the machine and toolchain; a missing one is None with its reason."""

    facts: dict[str, Fact]
    missing: dict[str, str] = {}


class Report(_Frozen):
    """Everything one job learnt."""

    format: Literal[1, 2] = FORMAT
    kind: Literal["measure", "compare"] = "measure"
    created_at: datetime
    generator: str
    model: str
    source: ModelSource
    precision: str
    environment: Environment
    onnx_sha256: str | None = None
    engine_sha256: str | None = None
    stages: tuple[Stage, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    readings: tuple[Reading, ...] = ()
    canary: tuple[CanaryReading, ...] = ()
    remarks: tuple[Remark, ...] = ()
    artifacts: tuple[ArtifactRef, ...] = ()
