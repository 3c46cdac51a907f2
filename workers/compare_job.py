"""The job kind `compare`: the last good build and the suspect, interleaved until every watch is decided.

Blocks run in the order A B B A A B B A ..., each in a fresh child, so that a linear drift of the
machine falls on both builds alike.  After each pair `benchmarks.compare` decides what it can; cases
whose watches are all decided are left out from then on.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import Case
from benchmarks.compare import PairsResult, compare_pairs, is_futile
from benchmarks.metrics import Metric, metric_get
from benchmarks.report import Comparison, Outcome, Report
from benchmarks.runners.table import ROWS
from workers.job import Finished, Job, JobFailed
from workers.messages import BuildSource

_PRIMING_S = 0.05
_CHECKED_OUT = 0.05
_MEASURED = 0.98


@dataclass
class Watch:
    """One metric of one case, its values so far (one per pair and build) and what they tell."""

    case: Case
    metric: Metric
    a: list[float] = field(default_factory=list)
    b: list[float] = field(default_factory=list)
    result: PairsResult | None = None
    futile: bool = False

    @property
    def closed(self) -> bool:
        """Whether another pair is not needed, or would not help."""
        return self.futile or (self.result is not None and self.result.verdict != "unknown")

    def comparison(self) -> Comparison:
        """What the report says about it."""
        if self.result is None:
            raise ValueError(f"{self.metric.name} of {self.case.label} was never measured in a pair")
        return self.result.as_comparison(self.case, self.metric, self.a, self.b)


@dataclass
class Riders:
    """What the blocks measured besides the watches: nothing that was measured is thrown away.

    They never ask for another pair; the site may come to ask about them later.
    """

    rows: dict[tuple[Case, str], Watch] = field(default_factory=dict)

    def add(self, watches: list[Watch], good: Report, suspect: Report) -> None:
        """Keep a pair's values of every judged metric that is not watched."""
        watched = {(watch.case, watch.metric.name) for watch in watches}
        before = {(one.case, one.metric): one.value for one in good.measurements}
        for one in suspect.measurements:
            key = (one.case, one.metric)
            if key in watched or key not in before or metric_get(one.metric).better is None:
                continue
            row = self.rows.setdefault(key, Watch(one.case, metric_get(one.metric)))
            row.a.append(before[key])
            row.b.append(one.value)

    def comparisons(self) -> Iterator[Comparison]:
        """What the pairs tell of each."""
        for row in self.rows.values():
            row.result = compare_pairs(row.a, row.b, metric=row.metric, final=True)
            yield row.comparison()


@dataclass(frozen=True)
class Side:
    """One of the two builds, checked out; `word` says which one it is."""

    word: str
    build: BuildSource
    checkout: Path
    onnx: Path | None


def job_compare(job: Job) -> Finished:
    """Measure both builds in interleaved pairs and report a verdict per watch.

    Raises:
        JobFailed: a build could not be had or a watched case not be measured; the failure says which.
        JobStopped: it was asked to stop.
    """
    order = job.order
    watches = [Watch(order.cases[index], metric_get(metric)) for index, metric in order.watch]
    good, suspect = (
        _side_prepare(job, word, build) for word, build in zip(("good", "suspect"), order.builds, strict=True)
    )
    reports: dict[str, Report] = {}
    riders = Riders()
    for pair in range(order.max_pairs):
        sides = (good, suspect) if pair % 2 == 0 else (suspect, good)
        cases = tuple(dict.fromkeys(watch.case for watch in watches if not watch.closed))
        if not cases:
            break
        for turn, side in enumerate(sides):
            reports[side.word] = _block_run(job, side, cases, pair=pair, turn=turn)
        _pair_judge(job, watches, reports, final=pair + 1 == order.max_pairs)
        riders.add(watches, reports["good"], reports["suspect"])
    return Finished(_report_make(job, watches, riders, reports), {})


def _side_prepare(job: Job, word: str, build: BuildSource) -> Side:
    job.pulse.tell("checkout", 0.0, f"{word}: {build.sha[:7]} of {job.order.project}")
    checkout = job.check_out(build, word)
    return Side(word, build, checkout, _export_find(job, word, build, checkout))


def _export_find(job: Job, word: str, build: BuildSource, checkout: Path) -> Path | None:
    """The build's export, made in a child of its own where the cache has none.

    Otherwise a build's first block would have exported in the process it is measured in, and the
    others not.  None where nothing is exported, or where the export itself is what is compared.
    """
    order = job.order
    exports = any(ROWS[case.runner].loads != "module" for case in order.cases)
    watched = any(metric == "export_time" for _, metric in order.watch)
    if not exports or watched or order.source.kind not in ("catalogue", "entry"):
        return None
    known = job.cache.find(job.export_key(build))
    if known is None:
        job.pulse.tell("export", 0.02, f"{word}: {build.sha[:7]}")
        block = job.block(checkout, (_primer(order.cases[0]),)).model_copy(update={"canary": False})
        with _blamed(word, build):
            finished = job.run_block(block, f"export-{word}", _ignore)
        job.keep_export(build, finished)
        known = job.cache.find(job.export_key(build))
    return known


def _primer(case: Case) -> Case:
    """The shortest case that makes its block export, whichever runner the comparison is about."""
    told = {"runner": "onnxruntime", "suite": "build", "duration_s": _PRIMING_S, "options": ()}
    return case.model_copy(update=told)


def _block_run(job: Job, side: Side, cases: tuple[Case, ...], *, pair: int, turn: int) -> Report:
    """One block of a pair; its folder is gone afterwards."""
    name = f"pair{pair + 1}-{side.word}"
    blocks, done = 2 * job.order.max_pairs, 2 * pair + turn
    on_event = _teller(job, f"pair {pair + 1}: {side.word} {side.build.sha[:7]}", done / blocks, 1 / blocks)
    # a pair is its own witness of the machine: no canary
    block = job.block(side.checkout, cases, side.onnx).model_copy(update={"canary": False})
    with _blamed(side.word, side.build):
        report = job.run_block(block, name, on_event).report
    shutil.rmtree(job.folder / name)
    return report


@contextmanager
def _blamed(word: str, build: BuildSource) -> Iterator[None]:
    """Say which of the two builds a failure belongs to."""
    try:
        yield
    except JobFailed as error:
        message = f"the {word} build {build.sha[:7]}: {error.failure.message}"
        raise JobFailed(error.failure.model_copy(update={"message": message[:4000]})) from error


def _teller(job: Job, stage: str, start: float, share: float) -> Callable[[dict[str, Any]], None]:
    def on_event(event: dict[str, Any]) -> None:
        if "stage" in event:
            fraction = start + share * float(event["fraction"])
            message = f"{event['stage']} {event.get('message', '')}".strip()
            job.pulse.tell(stage, _CHECKED_OUT + fraction * (_MEASURED - _CHECKED_OUT), message)

    return on_event


def _ignore(_event: dict[str, Any]) -> None:
    """The export ahead of the pairs has no stages of its own to show."""


def _pair_judge(job: Job, watches: list[Watch], reports: dict[str, Report], *, final: bool) -> None:
    """Add the pair's values to the undecided watches and look at each again."""
    for watch in watches:
        if watch.closed:
            continue
        watch.a.append(_value_of(job, watch, "good", reports["good"]))
        watch.b.append(_value_of(job, watch, "suspect", reports["suspect"]))
        try:
            watch.result = compare_pairs(watch.a, watch.b, metric=watch.metric, final=final)
            watch.futile = is_futile(
                watch.result,
                len(watch.a),
                job.order.max_pairs,
                metric=watch.metric,
                before=median(watch.a),
            )
        except ValueError as error:
            raise job.fail("measure", f"{watch.case.label} cannot be compared: {error}") from error


def _value_of(job: Job, watch: Watch, word: str, report: Report) -> float:
    for measurement in report.measurements:
        if (measurement.case, measurement.metric) == (watch.case, watch.metric.name):
            return measurement.value
    reasons = [outcome.reason for outcome in report.outcomes if outcome.case == watch.case and outcome.reason]
    reason = reasons[0] if reasons else f"it does not tell {watch.metric.name}"
    raise job.fail("measure", f"{watch.case.label} was not measured for the {word} build: {reason}")


def _report_make(job: Job, watches: list[Watch], riders: Riders, reports: dict[str, Report]) -> Report:
    """The suspect's last report with the comparisons in place of its measurements."""
    if not reports:
        raise job.fail("protocol", "a comparison was ordered that watches nothing, or allows no pair")
    remarks = {
        (remark.code, remark.sentence): remark for report in reports.values() for remark in report.remarks
    }
    return reports["suspect"].model_copy(
        update={
            "kind": "compare",
            "created_at": datetime.now(UTC),
            "outcomes": tuple(Outcome(case=case, status="done") for case in job.order.cases),
            "measurements": (),
            "comparisons": (*(watch.comparison() for watch in watches), *riders.comparisons()),
            "remarks": tuple(remarks.values()),
            "artifacts": (),
        }
    )
