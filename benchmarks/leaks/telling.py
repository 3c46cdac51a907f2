"""A soak's summary as metrics and remarks in sentences."""

from __future__ import annotations

import math

from benchmarks.leaks.counters import COUNTERS
from benchmarks.leaks.course import Course, SegmentEnd
from benchmarks.leaks.room import gpu_room, host_room
from benchmarks.leaks.summary import Judged, Summary
from benchmarks.leaks.trend import Slope
from benchmarks.leaks.verdict import FEWEST_PARTS, PER_PART, WARM_UP
from benchmarks.metrics import format_bytes, format_plain
from benchmarks.stats import Interval
from benchmarks.suites.base import Findings

DRIFT_TOLD = 0.03
# who sees again, in coarser steps, what another counter saw
_SEEN_AGAIN = {"host_resident": {"host_heap"}, "gpu_process": {"gpu_allocated"}}
_ROOMS = {"host": host_room, "gpu": gpu_room}
_SPANS = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


def soak_tell(findings: Findings, summary: Summary, course: Course) -> None:
    """Everything the soak found, into `findings`."""
    for one in summary.judged:
        if one.verdict.slope is not None:
            slope = one.verdict.slope
            findings.add(one.counter.metric, Interval(slope.value, slope.low, slope.high))
    if summary.is_judged:
        findings.add("leaks", len(summary.leaks))
    findings.add("soak_iterations", summary.iterations)
    if summary.drift is not None:
        findings.add("soak_drift", summary.drift)
    for metric, value in (("soak_temperature", summary.temperature), ("soak_power", summary.power)):
        if value is not None:
            findings.add(metric, value)
    ends = [_out_of_memory(one, summary.rate) for one in summary.leaks]
    if times := [end for end in ends if end is not None]:
        findings.add("time_to_out_of_memory", min(times, key=lambda time: time.value))
    for one, end in zip(summary.leaks, ends, strict=True):
        _leak_remark(findings, summary, one, end)
    _growth_remarks(findings, summary, died=_last_end(course).ended == "died")
    _drift_remark(findings, summary)
    _end_remarks(findings, summary, course)


def _out_of_memory(one: Judged, rate: float) -> Interval | None:
    """Seconds that a fresh process lives at this rate; None where the room is not known."""
    room = _ROOMS[one.counter.memory]() if one.counter.memory else None
    slope = one.verdict.slope
    if room is None or slope is None or slope.value <= 0:
        return None
    room = max(room - one.first, 0)

    def time(per_iteration: float | None) -> float | None:
        return room / (per_iteration * rate) if per_iteration is not None and per_iteration > 0 else None

    return Interval(room / (slope.value * rate), time(slope.high), time(slope.low))


def _leak_remark(findings: Findings, summary: Summary, one: Judged, end: Interval | None) -> None:
    slope = one.verdict.slope
    if slope is None:
        return
    lasts = f", and memory lasts for {span(end.value)} at this rate" if end is not None else ""
    when = (
        f"plain after {span(one.found_s)}"
        if one.found_s is not None
        else f"told by its {summary.segments} segments together"
    )
    findings.remark(
        f"leak-{one.counter.name}",
        f"{one.counter.words} grows by {_amount(one, slope.value)} per iteration{_bounds(one, slope)}, "
        f"{_amount(one, slope.value * summary.rate)} per second, {when}{lasts}; {_remedy(one, summary)}",
    )


def _remedy(one: Judged, summary: Summary) -> str:
    names = {leak.counter.name for leak in summary.leaks}
    if one.counter.name in _SEEN_AGAIN and names & _SEEN_AGAIN[one.counter.name]:
        return "it is the leak above, as others count it"
    if "python_objects" in names:
        return "Python objects are kept: look for a list, a dict or a cache that each inference adds to"
    if one.counter.name == "gpu_allocated":
        return "tensors are kept: look for what holds a reference to an output or to its graph"
    if one.counter.name == "gpu_process":
        return "torch's allocator does not know of it: look at the native library or the driver"
    if one.counter.name == "host_resident":
        return "C's allocator does not know of it: look for maps, files in memory, or a heap that splinters"
    return "native code keeps what it allocates: look at the library that runs the model, and its version"


def _growth_remarks(findings: Findings, summary: Summary, *, died: bool) -> None:
    words = {
        "settling": "less and less: caches that fill",
        "stepped": "in a few steps that do not go on: an arena",
    }
    for one in summary.judged:
        if (why := words.get(one.verdict.word)) is not None:
            findings.remark(
                "memory-grew",
                f"{one.counter.words} grew by {_amount(one, one.verdict.gained)} after the warm-up, {why}; "
                "that is no leak, but soak longer where it matters",
            )
    if not summary.is_judged:
        _short_remark(findings, summary, died=died)


def _short_remark(findings: Findings, summary: Summary, *, died: bool) -> None:
    """No verdict; of a model that ended by itself, what it grew by until then is told all the same."""
    fewest = FEWEST_PARTS * PER_PART / (1 - WARM_UP)
    grown = [one for one in summary.judged if one.grown > one.counter.grain] if died else []
    told = ", ".join(
        f"{one.counter.words} grew by {_amount(one, one.grown)}, "
        f"{_amount(one, one.grown / summary.iterations)} per iteration"
        for one in grown
    )
    remedy = "a smaller batch, or a higher limit, lets it live longer" if died else "soak longer"
    findings.remark(
        "soak-short",
        f"no verdict on leaks: the soak counted {summary.iterations} iterations in "
        f"{span(summary.seconds)}, and a verdict needs {fewest:.0f} readings of a block of iterations "
        f"each; {f'until then {told}; ' if told else ''}{remedy}",
        unstable=True,
    )


def _drift_remark(findings: Findings, summary: Summary) -> None:
    drift = summary.drift
    if drift is None or abs(drift.value) < DRIFT_TOLD or drift.low is None or drift.high is None:
        return
    if drift.low <= 0 <= drift.high:
        return
    word = "fell" if drift.value < 0 else "rose"
    findings.remark(
        "soak-drift",
        f"throughput {word} by {abs(drift.value):.1%} from the start to the end "
        f"(95 %: {drift.low:+.1%} to {drift.high:+.1%}); look at heat, clocks and other work on the machine",
    )


def _end_remarks(findings: Findings, summary: Summary, course: Course) -> None:
    ends, wanted = course.ends(), findings.case.duration_s
    last = _last_end(course)
    ran = f"after {span(summary.seconds)} of {span(wanted)} and {summary.iterations} iterations"
    if last.ended == "died":
        findings.remark(
            "soak-died",
            f"the soak ended by itself {ran}: {last.reason}; what is reported holds for that time",
        )
    elif summary.seconds < wanted:
        findings.remark("soak-stopped", f"the soak was stopped {ran}; what is reported holds for that time")
    if cut := [path.name for path in course.paths[:-1] if path.name not in ends]:
        findings.remark(
            "soak-continued",
            f"the soak was interrupted {len(cut)} times and went on with a new process; every segment counts",
        )
    words = {row.name: row.words for row in COUNTERS}
    for name, why in sorted({pair for end in ends.values() for pair in end.missing}):
        findings.remark("counter-missing", f"{words[name]}: {why}")


def _last_end(course: Course) -> SegmentEnd:
    return course.ends().get(course.paths[-1].name, SegmentEnd("cut"))


def _bounds(one: Judged, slope: Slope) -> str:
    if slope.low is None or slope.high is None:
        return ""
    return f" (95 %: {_amount(one, slope.low)} to {_amount(one, slope.high)})"


def _amount(one: Judged, value: float) -> str:
    return format_bytes(value) if one.counter.memory else format_plain(value)


def span(seconds: float) -> str:
    """A time for people: `2.5 hours`."""
    for length, unit in _SPANS:
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}" if math.isfinite(seconds) else "ever"
    return f"{seconds:.1f} seconds"
