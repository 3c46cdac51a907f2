"""What a suite gets and gives back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.engines import EngineBuild
from benchmarks.gauge import NO_GAUGE, Gauge
from benchmarks.metrics import metric_get
from benchmarks.nursery import Nursery
from benchmarks.options import OptionValue
from benchmarks.report import Measurement, Remark
from benchmarks.runners.base import Assets, Runner
from benchmarks.stats import Interval, thinned


class Workshop(Protocol):
    """Where a suite gets what its case's own assets are not: made when asked for, once a job."""

    def variant(
        self,
        case: Case,
        *,
        source: ModelSource | None = None,
        precision: str | None = None,
        size: int | None = None,
    ) -> Assets:
        """The assets that `case.runner` loads, of another model, precision or input size.

        Raises:
            BenchmarkError: they cannot be made; the same error each time.
        """
        ...

    def rebuild(self, case: Case) -> EngineBuild:
        """The engine of `case`, built once more from the same ONNX file.

        Raises:
            BenchmarkError: it cannot be built.
        """
        ...


@dataclass(frozen=True)
class Bench:
    """One case with everything a suite may need to measure it.

    `runner` is loaded and bound to the case's batch for suites that ask for one, else None;
    `parameter_count` is None when the source is no torch module, `export_s` (seconds) when this job
    exported nothing.  `nursery` forks children that have the job's imports and nothing else, None where
    that cannot be: `isolated` takes either.
    `gauge` reads the GPU's state between blocks of samples; `price_per_hour` is of the device, in any
    currency, None when nobody told.  `workdir` is the job's folder, where a suite may leave files.
    """

    case: Case
    assets: Assets
    runner: Runner | None = None
    parameter_count: int | None = None
    export_s: float | None = None
    build: EngineBuild | None = None
    nursery: Nursery | None = None
    gauge: Gauge = NO_GAUGE
    price_per_hour: float | None = None
    workdir: Path = Path()
    workshop: Workshop | None = None

    @property
    def shop(self) -> Workshop:
        """The workshop.

        Raises:
            ValueError: the session gave none.
        """
        if self.workshop is None:
            raise ValueError(f"suite {self.case.suite} makes files, and this bench has no workshop")
        return self.workshop


@dataclass
class Findings:
    """Measurements, remarks and files of one case, as they are found."""

    case: Case
    measurements: list[Measurement] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)

    def at(self, *, batch: int | None = None, **options: OptionValue | None) -> Findings:
        """Where to put what was found at one point of several: the same lists, the point's case."""
        return replace(self, case=self.case.at(batch=batch, **options))

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
