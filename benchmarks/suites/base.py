"""What a suite gets and gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from benchmarks.cases import Case
from benchmarks.engines import EngineBuild
from benchmarks.metrics import metric_get
from benchmarks.report import Measurement, Remark
from benchmarks.runners.base import Assets, Runner
from benchmarks.stats import Interval, thinned


@dataclass(frozen=True)
class Bench:
    """One case with everything a suite may need to measure it.

    `runner` is loaded and bound to the case's batch for suites that ask for one, else None;
    `parameter_count` is None when the source is no torch module, `export_s` (seconds) when this job
    exported nothing.  `forkable` says that this process may be forked (see `isolation`).
    """

    case: Case
    assets: Assets
    runner: Runner | None = None
    parameter_count: int | None = None
    export_s: float | None = None
    build: EngineBuild | None = None
    forkable: bool = False


@dataclass
class Findings:
    """Measurements and remarks of one case, as they are found."""

    case: Case
    measurements: list[Measurement] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def add(self, metric: str, value: float | Interval, samples: np.ndarray | None = None) -> None:
        """One metric's value, in its unit, with its raw samples (n,) where there are some."""
        interval = value if isinstance(value, Interval) else Interval(float(value), None, None)
        self.measurements.append(
            Measurement(
                case=self.case,
                metric=metric,
                value=interval.value,
                unit=metric_get(metric).unit,
                ci_low=interval.low,
                ci_high=interval.high,
                n=1 if samples is None else int(samples.size),
                samples=() if samples is None else thinned(samples),
            )
        )

    def remark(self, code: str, sentence: str, *, unstable: bool = False) -> None:
        """One doubt about this case, with its remedy."""
        self.remarks.append(Remark(code=code, sentence=sentence, unstable=unstable, case=self.case))


def runner_of(bench: Bench) -> Runner:
    """The loaded runner of a bench whose suite asked for one.

    Raises:
        ValueError: the session gave none, which is a mistake in the suites' table.
    """
    if bench.runner is None:
        raise ValueError(f"suite {bench.case.suite} needs a loaded runner; its table row must say so")
    return bench.runner
