"""The job kind `profile`: both builds once with the runner's own profiler; what comes home are its files."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report import Outcome, Report
from workers.job import Finished, Job
from workers.sides import WORDS, side_profile, sides_prepare

_WORST_FIRST = ("failed", "skipped", "done")


def job_profile(job: Job) -> Finished:
    """Profile the order's cases of the last good build, then of the suspect.

    A profile is no measurement: the report has files and outcomes, and no numbers.

    Raises:
        JobFailed: a build could not be had or loaded; the failure says which.
        JobStopped: it was asked to stop.
    """
    good, suspect = (side_profile(job, side, turn=turn) for turn, side in enumerate(sides_prepare(job)))
    reports = (good.report, suspect.report)
    update = {
        "measurements": (),
        "outcomes": tuple(_outcomes_merge(job, reports)),
        "remarks": tuple(
            {(one.code, one.sentence): one for report in reports for one in report.remarks}.values()
        ),
        # the ONNX files and engines came home with the builds' measurements
        "artifacts": tuple(ref for report in reports for ref in report.artifacts if ref.kind == "profile"),
    }
    report = suspect.report.model_copy(update=update)
    files = good.files | suspect.files
    return Finished(report, {ref.name: files[ref.name] for ref in report.artifacts if ref.name in files})


def _outcomes_merge(job: Job, reports: Sequence[Report]) -> list[Outcome]:
    """One outcome a case: the worse of the two builds', with the reasons of both."""
    merged = []
    for case in job.order.cases:
        told = [
            (word, outcome)
            for word, report in zip(WORDS, reports, strict=True)
            for outcome in report.outcomes
            if outcome.case == case
        ]
        if not told:
            continue
        status = min((outcome.status for _, outcome in told), key=_WORST_FIRST.index)
        reasons = "; ".join(f"{word}: {outcome.reason}" for word, outcome in told if outcome.reason)
        merged.append(Outcome(case=case, status=status, reason=reasons))
    return merged
