"""Suite `soak`: minutes to hours of inference, watched for leaks, drift, temperature and power.

It runs in segments of one process each, because no slope crosses from one process to the next.  Every
reading is on disk at once (`leaks/course.py`), below the job's folder: a soak that was killed goes on
from there when it is started again on the same folder, and one that is stopped reports what it has.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.artifacts import Artifact
from benchmarks.errors import CannotRun, MeasureError
from benchmarks.isolation import isolated
from benchmarks.leaks.course import Course, SegmentEnd, segment_next, segment_s
from benchmarks.leaks.segment import SegmentPlan, segment_run
from benchmarks.leaks.stream import records_most
from benchmarks.leaks.summary import Summary, course_summarize
from benchmarks.leaks.telling import soak_tell
from benchmarks.leaks.thinning import course_thin
from benchmarks.soak_readings import readings_name
from benchmarks.stats import Interval
from benchmarks.suites.base import Bench, Findings

WATCH_S = 0.25  # between two looks at a running segment
GRACE_S = 10.0  # for the iteration that runs when a stop is asked
HUNG_S = 600.0  # without a reading
GAUGE_READINGS = 200


def soak_measure(bench: Bench) -> Findings:
    """Leak slopes (bytes per iteration) with their verdicts, drift of the throughput, heat and power.

    Raises:
        BenchmarkError: the model did not run long enough for a single reading.
    """
    course = course_of(bench)
    with _signals_heeded(course):
        while (left := bench.case.duration_s - course.seconds) > 0 and not course.stop_asked:
            if not _segment_run(bench, course, left):
                break
    summary = course_summarize(course)
    if summary is None:
        raise MeasureError("the soak was stopped before its first reading; there is nothing to report")
    findings = Findings(bench.case)
    soak_tell(findings, summary, course)
    findings.artifacts.append(_readings_keep(bench, findings, summary, course))
    course.stop_path.unlink(missing_ok=True)
    return findings


def _readings_keep(bench: Bench, findings: Findings, summary: Summary, course: Course) -> Artifact:
    """The readings over time as a file of the job: what the site draws."""
    told = [one for one in findings.measurements if one.metric == "time_to_out_of_memory"]
    end = Interval(told[0].value, told[0].ci_low, told[0].ci_high) if told else None
    readings = course_thin(course, summary, bench.case, out_of_memory=end)
    path = bench.workdir / readings_name(bench.case)
    path.write_text(readings.model_dump_json(), encoding="utf-8")
    return Artifact.seal(path, "other")


def course_of(bench: Bench) -> Course:
    """Where the readings of this soak are: one folder per thing that is soaked."""
    assets = bench.assets
    digests = [file.sha256 for file in (assets.onnx, assets.engine) if file is not None]
    key = " ".join([bench.case.label, assets.source.model_dump_json(), assets.device, *digests])
    return Course.open(bench.workdir, key, bench.case.duration_s)


def _segment_run(bench: Bench, course: Course, left: float) -> bool:
    """Run the next segment to its end; False when the soak ends with it."""
    path = course.next_path()
    plan = SegmentPlan(
        path=path,
        stop=course.stop_path,
        seconds=segment_next(bench.case, left),
        most_records=records_most(math.ceil(bench.case.duration_s / segment_s(bench.case))),
    )
    watch = _Watch(bench, course, plan)
    try:
        end = isolated(
            segment_run,
            bench.case.runner,
            bench.assets,
            bench.case.batch,
            plan,
            nursery=bench.nursery,
            meanwhile=watch.look,
            every_s=WATCH_S,
        )
    except CannotRun:
        raise
    except Exception as error:  # what ends a model after an hour of work is the soak's finding
        if not path.exists() or not path.stat().st_size:
            path.unlink(missing_ok=True)
            if course.stop_asked:
                return False
            raise
        end = watch.judged(error)
    course.end_note(path, end)
    return end.ended == "done"


@dataclass
class _Watch:
    """Looks at a running segment from its parent: the GPU's gauge, a stop that is not heeded, a hang."""

    bench: Bench
    course: Course
    plan: SegmentPlan
    killed_for: str = ""
    _gauge_due: float = 0.0
    _asked_at: float | None = None
    _size: int = -1
    _grew_at: float = field(default_factory=time.monotonic)

    def look(self, child: int) -> None:
        """Called every `WATCH_S` while the child with this number works."""
        now = time.monotonic()
        if now >= self._gauge_due:
            self._gauge_due = now + max(1.0, self.bench.case.duration_s / GAUGE_READINGS)
            values = self.bench.gauge.read()
            if values:
                self.course.gauge_note(values.get("temperature"), values.get("power"), values.get("sm_clock"))
        if self.course.stop_asked:
            self._asked_at = self._asked_at or now
            if now - self._asked_at > GRACE_S:
                self._kill(child, "")
        size = self.plan.path.stat().st_size if self.plan.path.exists() else -1
        if size != self._size:
            self._size, self._grew_at = size, now
        elif size > 0 and now - self._grew_at > max(HUNG_S, self.plan.seconds / 100):
            self._kill(child, f"no iteration ended within {now - self._grew_at:.0f} s")

    def judged(self, error: Exception) -> SegmentEnd:
        """How the segment ended that raised `error`, after some readings."""
        if self.course.stop_asked and not self.killed_for:
            return SegmentEnd("stopped")
        return SegmentEnd("died", self.killed_for or f"{type(error).__name__}: {error}"[:1000])

    def _kill(self, child: int, reason: str) -> None:
        self.killed_for = reason
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


@contextlib.contextmanager
def _signals_heeded(course: Course) -> Iterator[None]:
    """The first SIGTERM or Ctrl-C ends the soak with a report; a second one does what it always did."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    # who ignores Ctrl-C is told by SIGTERM alone: heard twice, the second would end it without its report
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}

    def ask(number: int, _frame: object) -> None:
        course.stop_path.touch()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
