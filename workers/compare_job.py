"""The job kind `compare`: the last good build and the suspect, interleaved until every watch is decided.

Blocks run in the order A B B A A B B A ..., each in a fresh child, so that a linear drift of the
machine falls on both builds alike.  Each finished pair goes home at once; a comparison that was cut off
goes on behind the pairs that its order brings.  After each pair `benchmarks.sequential` decides what it
can; cases whose watches are all over are left out from then on.  A pair that was disturbed
(`disturbance.py`) is kept and does not count: another one is run in its place while the order allows pairs.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import PurePath

from benchmarks.cases import Case
from benchmarks.report import Report
from workers.job import Finished, Job, JobFailed
from workers.sides import side_measure, sides_prepare
from workers.watches import Watches, builds_engine, pair_make

GENERATOR = "workers 1"
_LATE = "the job's time was over; a longer wall_clock would allow more pairs"
# onnxruntime's options that let a later session load an engine instead of building one
_ENGINE_CACHES = ("provider.trt_engine_cache_path", "provider.trt_ep_context_file_path")


def job_compare(job: Job) -> Finished:
    """Measure both builds in interleaved pairs and report a verdict per watch.

    Raises:
        JobFailed: a build could not be had or a watched case not be measured; the failure says which.
        JobStopped: it was asked to stop.
    """
    watches = _watches_make(job)
    last: dict[str, Report] = {}
    why = ""
    if watches.cases:  # else all pairs were run before the worker was killed
        last, why = _pairs_run(job, watches)
    return Finished(_report_make(job, watches, last, why), {})


def _watches_make(job: Job) -> Watches:
    """The watches, with the pairs of earlier attempts taken."""
    order = job.order
    if not order.watch or not order.max_pairs:
        raise job.fail("protocol", "a comparison was ordered that watches nothing, or allows no pair")
    for case in order.cases:
        if builds_engine(order, case) and (path := _cache_shared(case)):
            raise job.fail(
                "build",
                f"{case.label} keeps its engines in {path}, so both builds would be measured with the engine "
                "of one; give a path inside the job's folder, or drop the option",
            )
    try:
        watches = Watches.of(order)
        for pair in order.pairs:
            watches.take(pair)
    except ValueError as error:
        raise job.fail("protocol", f"this comparison cannot be made: {error}") from error
    return watches


def _cache_shared(case: Case) -> str:
    """Where the case keeps engines beyond its block; empty when it does not."""
    for name in _ENGINE_CACHES:
        path = PurePath(str(case.option(name, "")))
        if path.is_absolute() or ".." in path.parts:
            return str(path)
    return ""


def _pairs_run(job: Job, watches: Watches) -> tuple[dict[str, Report], str]:
    """Run the pairs that are missing; the last one's reports, and why it ended before its time."""
    sides = sides_prepare(job)
    done = {pair.number for pair in watches.pairs}
    last: dict[str, Report] = {}
    longest = 0.0
    for number in range(job.order.max_pairs):
        if number in done:
            continue
        if not (cases := watches.cases):
            break
        if watches.pairs and time.monotonic() + longest > job.deadline:
            return last, _LATE
        started = time.monotonic()
        turns = sides if watches.good_first else sides[::-1]
        try:
            last = {
                side.word: side_measure(job, side, cases, pair=number, turn=turn)
                for turn, side in enumerate(turns)
            }
        except JobFailed as error:
            if error.failure.kind == "timeout" and watches.pairs:
                return last, _LATE
            raise
        _pair_take(job, watches, number, last)
        longest = max(longest, time.monotonic() - started)
    return last, ""


def _pair_take(job: Job, watches: Watches, number: int, told: dict[str, Report]) -> None:
    """Judge a pair and send it home."""
    pair = pair_make(number, job.order, told["good"], told["suspect"])
    try:
        watches.take(pair)
    except ValueError as error:
        reasons = "; ".join(_reasons(told))
        raise job.fail("measure", f"the builds cannot be compared: {reasons or error}") from error
    job.pair_done(pair)


def _reasons(told: dict[str, Report]) -> list[str]:
    """Why cases were not measured, in the blocks' own words."""
    return [
        f"{outcome.case.label} was not measured for the {word} build: {outcome.reason}"
        for word, report in told.items()
        for outcome in report.outcomes
        if outcome.reason
    ]


def _report_make(job: Job, watches: Watches, last: dict[str, Report], why: str) -> Report:
    """The comparisons with the last pair's environment, or this machine's where no pair was missing."""
    order = job.order
    base = last.get("suspect") or Report(
        created_at=datetime.now(UTC),
        generator=GENERATOR,
        model=order.model,
        source=order.source,
        precision=order.precision,
        environment=job.environment(),
    )
    told = [*(remark for report in last.values() for remark in report.remarks), *watches.remarks()]
    remarks = {(remark.code, remark.sentence): remark for remark in told}
    return base.model_copy(
        update={
            "kind": "compare",
            "created_at": datetime.now(UTC),
            "outcomes": tuple(watches.outcomes()),
            "measurements": (),
            "comparisons": tuple(watches.comparisons(why)),
            "remarks": tuple(remarks.values()),
            "artifacts": (),
        }
    )
