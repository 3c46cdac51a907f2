"""What an attribution rests on: values as they were measured, and what witnessed the machine meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Witness:
    """What one build's measure report tells of machine and toolchain while the series was measured.

    `canary_s` are the pinned computation's times in seconds, before and after the job, on `canary_clock`;
    `sm_clock_hz` the GPU's clock readings of this case; a digest is empty where nothing was exported or
    built.
    """

    facts: Mapping[str, object] = field(default_factory=dict)
    canary_s: Sequence[float] = ()
    canary_clock: Literal["cpu", "gpu", ""] = ""
    sm_clock_hz: Sequence[float] = ()
    onnx_sha256: str = ""
    engine_sha256: str = ""

    @property
    def has_gpu(self) -> bool:
        """Whether the job measured on a GPU."""
        return self.facts.get("device") == "cuda" or bool(self.facts.get("gpu_name"))


@dataclass(frozen=True)
class Pairs:
    """The comparison's interleaved pairs, one value per pair and build, in the metric's unit.

    `relative` is suspect over base minus one, `low` and `high` its interval, None while nothing bounds it.
    """

    a: Sequence[float]
    b: Sequence[float]
    relative: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Evidence:
    """One series at one build.

    `before` are the level's values up to the base, `after` those from the suspect on, both in the metric's
    unit and shape (n,); `unit` and `relevant` are the metric's; `exact` says that it is counted, `rebuilt`
    that each block builds an engine of its own.
    """

    before: Sequence[float]
    after: Sequence[float]
    unit: str
    relevant: float
    exact: bool = False
    rebuilt: bool = False
    pairs: Pairs | None = None
    base: Witness | None = None
    suspect: Witness | None = None
