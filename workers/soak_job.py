"""The job kind `soak`: one case for minutes or hours, each segment of it in a child of its own.

Readings, and the export, are in a folder that outlives the attempt (`Folders.soaks`): when the worker is
stopped or killed, the next attempt on it goes on behind the last reading.  What ends the model on
the way, a limit of memory above all, is no failed job but the soak's finding.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.leaks.course import Course, SegmentEnd, segment_next
from benchmarks.report import Report
from workers.job import Finished, Job, JobFailed, JobStopped
from workers.messages import Order

CHECKED_OUT = 0.01
MEASURED = 0.99
TELL_S = 5.0
KEEP_S = 7 * 86400.0
"""After so long without a new reading, another worker has surely taken a soak over."""
_FINDINGS = ("memory", "killed")
"""Kinds of failures that tell of the model once it has run for a while."""


def job_soak(job: Job) -> Finished:
    """Soak the order's one case, segment after segment, and report all of it.

    Raises:
        JobFailed: it could not be done; the failure says why.
        JobStopped: it was asked to stop, or another job goes before it.
    """
    case, home = _case_of(job), _home_of(job)
    (build,) = job.order.builds
    job.pulse.tell("checkout", 0.0, f"{build.sha[:7]} of {job.order.project}")
    checkout = job.check_out(build, "checkout")
    try:
        with _told(job, home, case):
            finished = _segments_run(job, checkout, home, case)
    except JobStopped:
        if job.pulse.reason == "cancelled":
            shutil.rmtree(home, ignore_errors=True)
        raise
    except JobFailed as error:
        if not error.failure.retry:
            shutil.rmtree(home, ignore_errors=True)
        raise
    return _taken(job, home, finished)


def _segments_run(job: Job, checkout: Path, home: Path, case: Case) -> Finished:
    number = 0
    while True:
        number += 1
        before = _seconds(home)
        left = case.duration_s - before
        if left <= 0:  # an earlier attempt came to the end and could not report
            return _report_only(job, checkout, home, case)
        until = min(before + segment_next(case, left), case.duration_s)
        try:
            finished = _block_run(job, checkout, home, case, until=until, name=f"segment{number}")
        except JobFailed as error:
            if error.failure.kind not in _FINDINGS or _seconds(home) <= before:
                raise
            _death_note(home, error.failure.message)
            return _report_only(job, checkout, home, case)
        if _is_over(home, case, finished.report):
            return finished
        if job.pulse.others_wait:
            job.pulse.stop("yielded")
        if job.pulse.stopped():
            raise JobStopped


def _block_run(job: Job, checkout: Path, home: Path, case: Case, *, until: float, name: str) -> Finished:
    """One child that goes on with the soak until it has lasted `until` seconds, and reports all of it."""
    asked = case.model_copy(update={"duration_s": until})
    block = job.block(checkout, (asked,), home / "export.onnx").model_copy(update={"out": home})
    finished = job.run_block(block, name, _ignore)
    shutil.rmtree(job.folder / name)  # what was cached there for this child alone
    return Finished(_of_case(finished.report, case), finished.files)


def _report_only(job: Job, checkout: Path, home: Path, case: Case) -> Finished:
    """What is on disk as a report; nothing more is measured, because the soak is asked to stop."""
    for course in _courses(home):
        course.stop_path.touch()
    return _block_run(job, checkout, home, case, until=case.duration_s, name="report")


def _is_over(home: Path, case: Case, report: Report) -> bool:
    """Whether the soak has lasted long enough, was skipped, or ended by itself."""
    if any(outcome.status != "done" for outcome in report.outcomes) or _seconds(home) >= case.duration_s:
        return True
    ends = [end for course in _courses(home) for end in course.ends().values()]
    return any(end.ended != "done" for end in ends)


def _death_note(home: Path, reason: str) -> None:
    for course in _courses(home):
        course.end_note(course.paths[-1], SegmentEnd("died", reason))


def _of_case(report: Report, case: Case) -> Report:
    """The report with the ordered case in place of the one that lasts until the segment's end."""
    whole = {"case": case}
    return report.model_copy(
        update={
            "outcomes": tuple(one.model_copy(update=whole) for one in report.outcomes),
            "measurements": tuple(one.model_copy(update=whole) for one in report.measurements),
            "readings": tuple(one.model_copy(update=whole) for one in report.readings if one.case),
            "remarks": tuple(one.model_copy(update=whole) if one.case else one for one in report.remarks),
        }
    )


def _case_of(job: Job) -> Case:
    if len(job.order.cases) != 1 or job.order.cases[0].suite != "soak":
        raise job.fail("protocol", "a soak was ordered that is not one case of the suite soak")
    return job.order.cases[0]


def _home_of(job: Job) -> Path:
    """The soak's folder; those that nobody goes on with are removed."""
    if job.soaks is None:
        raise job.fail("environment", "this worker has no folder for soaks; start it with --work")
    job.soaks.mkdir(parents=True, exist_ok=True)
    for old in job.soaks.iterdir():
        newest = max((path.stat().st_mtime for path in (old, *old.rglob("*"))), default=0.0)
        if time.time() - newest > KEEP_S:
            shutil.rmtree(old, ignore_errors=True)
    home = job.soaks / _folder_name(job.order)
    home.mkdir(exist_ok=True)
    return home


def _folder_name(order: Order) -> str:
    return f"{order.job_id}-{order.builds[0].sha[:12]}"


def _courses(home: Path) -> list[Course]:
    return [Course(folder) for folder in home.glob("soak-*") if Course(folder).paths]


def _seconds(home: Path) -> float:
    """How long the soak has lasted so far."""
    return sum(course.seconds for course in _courses(home))


def _taken(job: Job, home: Path, finished: Finished) -> Finished:
    """The same, its files moved into the attempt's folder and the soak's own removed."""
    files = {}
    for name, path in finished.files.items():
        files[name] = path.rename(job.folder / name) if path.is_relative_to(home) else path
    shutil.rmtree(home, ignore_errors=True)
    return Finished(finished.report, files)


@contextmanager
def _told(job: Job, home: Path, case: Case) -> Iterator[None]:
    """Tell how far the soak is, from its readings, every few seconds."""
    over = threading.Event()

    def tell() -> None:
        seconds = 0.0
        while True:
            with contextlib.suppress(FileNotFoundError):  # a soak that begins anew removes the old one
                seconds = min(_seconds(home), case.duration_s)
            fraction = CHECKED_OUT + seconds / case.duration_s * (MEASURED - CHECKED_OUT)
            job.pulse.tell("soak", fraction, f"{seconds / 60:.1f} of {case.duration_s / 60:.1f} minutes")
            if over.wait(TELL_S):
                return

    thread = threading.Thread(target=tell, name="soak", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _ignore(_event: dict[str, Any]) -> None:
    """How far it is, its readings tell better than its stages."""
