"""The cases of a job, one after the other: each gets what it needs, and one that fails stops no other."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case
from benchmarks.errors import BuildError, CannotRun, ModelError
from benchmarks.gauge import NO_GAUGE, Gauge, GpuGauge
from benchmarks.nursery import Nursery
from benchmarks.options import Pairs
from benchmarks.prepared import Prepared
from benchmarks.progress import Journal
from benchmarks.report import Measurement, Outcome, Reading, Remark
from benchmarks.runners.base import Runner
from benchmarks.runners.table import runner_open
from benchmarks.stability import gauge_remarks
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.table import SUITE_ROWS

WARM_WEIGHT = 1.4  # a case takes its duration, its warm-up and its load


@dataclass
class CaseRunner:
    """Measures cases of one prepared model and keeps what they tell."""

    prepared: Prepared
    journal: Journal
    price_per_hour: float | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)

    def measure_all(self, cases: Sequence[Case]) -> None:
        """Every case, in the suites' order; cases that run alike share one loaded runner.

        Raises:
            ModelError: the watched code failed before any case was done: the job fails with it.
        """
        for (loaded, runner, options), group in groupby(sorted(cases, key=_order), key=_sharing):
            if loaded:
                self._group(runner, options, list(group))
                continue
            for case in group:
                self._case(case, None)

    def _group(self, runner_name: str, options: Pairs, cases: list[Case]) -> None:
        """The cases that share one loaded runner."""
        try:
            runner = runner_open(runner_name, self.prepared.assets_of(cases[0]))
            with runner:
                for case in cases:
                    self._case(case, runner)
        except Exception as error:  # a runner that does not load must not stop the others
            self._give_up_if_hopeless(error)
            ended = {outcome.case for outcome in self.outcomes}
            self.outcomes += [_outcome_of(error, case) for case in cases if case not in ended]

    def _case(self, case: Case, runner: Runner | None) -> None:
        try:
            assets = self.prepared.assets_of(case)  # may build an engine, which is a stage of its own
            with (
                self.journal.stage(case.suite, case.duration_s * WARM_WEIGHT, case.label),
                self._gauge(case) as gauge,
            ):
                if runner is not None:
                    runner.bind(case.batch)
                bench = Bench(
                    case=case,
                    assets=assets,
                    runner=runner,
                    parameter_count=self.prepared.parameter_count,
                    export_s=self.prepared.export_s,
                    build=self.prepared.build_of(case),
                    nursery=self.prepared.nursery,
                    gauge=gauge,
                    price_per_hour=self.price_per_hour,
                    workdir=self.prepared.workdir,
                    workshop=self.prepared,
                )
                findings = _measure_watched(bench)
        except Exception as error:  # one failed case must not stop the others
            self._give_up_if_hopeless(error)
            self.outcomes.append(_outcome_of(error, case))
            if isinstance(error, BuildError) and case.suite == "build":
                refused = Findings(case)
                refused.add("engine_build_success", 0.0)
                self.measurements += refused.measurements
            return
        self.outcomes.append(Outcome(case=case, status="done"))
        self.measurements += findings.measurements
        self.remarks += findings.remarks
        self.artifacts += findings.artifacts

    def _give_up_if_hopeless(self, error: Exception) -> None:
        """Raise the watched code's own fault while nothing is done: what was measured is never lost."""
        done = any(outcome.status == "done" for outcome in self.outcomes)
        if isinstance(error, ModelError) and not done:
            raise error

    @contextmanager
    def _gauge(self, case: Case) -> Iterator[Gauge]:
        """The GPU's gauge while a case runs; its readings go into the report."""
        if self.prepared.assets.device == "cpu":
            yield NO_GAUGE
            return
        with GpuGauge() as gauge:
            gauge.read()
            yield gauge
            gauge.read()
            self.readings += [
                Reading(case=case, at_s=seconds, values=values) for seconds, values in gauge.readings
            ]


def _measure_watched(bench: Bench) -> Findings:
    """The suite's findings, with the utilisation of the processor and the GPU beside them."""
    wall, cpu = time.perf_counter(), _processor_seconds(bench.nursery)
    findings = SUITE_ROWS[bench.case.suite].measure(bench)
    told = {one.metric for one in findings.measurements if one.case == bench.case}
    if "cpu_utilisation" not in told:
        span = (time.perf_counter() - wall) * bench.assets.threads
        findings.add("cpu_utilisation", (_processor_seconds(bench.nursery) - cpu) / span)
    share = bench.gauge.utilisation()
    if "gpu_utilisation" not in told and share is not None:
        findings.add("gpu_utilisation", share)
    gauge_remarks(findings, bench.gauge)
    return findings


def _processor_seconds(nursery: Nursery | None) -> float:
    """Of this process and its ended children, the nursery's among them."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time() + children.ru_utime + children.ru_stime
    return own + (nursery.processor_s if nursery is not None else 0.0)


def _sharing(case: Case) -> tuple[bool, str, Pairs]:
    return SUITE_ROWS[case.suite].loaded, case.runner, case.runner_options


def _order(case: Case) -> tuple[int, str, str, int]:
    return SUITE_ROWS[case.suite].rank, case.runner, str(case.runner_options), case.batch


def _outcome_of(error: Exception, case: Case) -> Outcome:
    if isinstance(error, CannotRun):
        return Outcome(case=case, status="skipped", reason=str(error))
    return Outcome(case=case, status="failed", reason=f"{type(error).__name__}: {error}"[:2000])
