"""Verdicts as sentences (pure): facts in, English out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.metrics import METRICS
from perfsite.results.metrics import metric_row

# metrics that people call slower and faster; for the others the title is raised or lowered
_TIMED = {"latency_p50", "latency_p90", "latency_p99", "gpu_compute_time_p50", "gpu_compute_time_p99"}

# how the name of an option tells its unit
_OPTION_UNITS = {"ms": "ms", "s": "s", "mib": "MiB"}

# why the screen gave no verdict
_REASONS = {
    "no_history": "it is the first point of its series",
    "few_points": "there are too few earlier points to know the noise",
    "unstable": "the measurement was disturbed, so it is marked unstable and not judged",
}


@dataclass(frozen=True)
class Subject:
    """What a sentence is about: a commit (seven characters) and the fields of a series."""

    sha: str
    model: str
    runner: str
    precision: str
    shape: str
    device_class: str
    metric: str

    @property
    def where(self) -> str:
        """`on h100 (tensorrt, fp16, batch 1)`."""
        return f"on {self.device_class} ({self.runner}, {self.precision}, {shape_words(self.shape)})"

    @property
    def title(self) -> str:
        """The metric in a sentence: `latency p50`, `ONNX size`."""
        row = metric_row(self.metric)
        title = self.metric if row is None else row.title
        if self.metric not in METRICS:  # a repository's own metric keeps its own name
            return title
        return title if title[:2].isupper() else title[:1].lower() + title[1:]


@dataclass(frozen=True)
class Change:
    """How much it moved: `before` and `after` in the metric's unit, `relative` with its interval."""

    before: float
    after: float
    relative: float
    low: float | None = None
    high: float | None = None


def shape_words(shape: str) -> str:
    """`b8` -> `batch 8`, `b8,max_delay_ms=5,qps=50` -> `batch 8, max delay 5 ms, qps 50`."""
    batch, *options = shape.split(",")
    if batch[:1] != "b" or not batch[1:].isdigit():
        return shape
    return ", ".join([f"batch {batch[1:]}", *(_option_words(option) for option in options)])


def _option_words(option: str) -> str:
    name, _, value = option.partition("=")
    unit = next((unit for unit in _OPTION_UNITS if name.endswith(f"_{unit}")), "")
    words = name.removesuffix(f"_{unit}").replace("_", " ")
    told = {"true": "on", "false": "off"}.get(value, value)
    return f"{words} {told} {_OPTION_UNITS.get(unit, '')}".rstrip()


def percent(ratio: float) -> str:
    """`0.198` -> `19.8 %`, without sign, three significant digits and at most two decimals."""
    value = abs(ratio) * 100.0
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} %"


def change_words(change: Change) -> str:
    """`+19.8 % [18.1, 21.5]`, or without the interval when there is none."""
    sign = "+" if change.relative >= 0 else "−"
    words = f"{sign}{percent(change.relative)}"
    if change.low is None or change.high is None or change.low == change.high:
        return words
    return f"{words} [{_bare(change.low)}, {_bare(change.high)}]"


def values_words(metric: str, change: Change) -> str:
    """`12.3 ms → 14.7 ms`."""
    row = metric_row(metric)
    form = row.format if row else "{:.4g}".format
    return f"{form(change.before)} → {form(change.after)}"


def change_sentence(subject: Subject, change: Change) -> str:
    """What a commit did: `3fa9c1a made cnn 19.8 % slower on cpu (torch, fp32, batch 1)`."""
    larger = change.after > change.before
    size = percent(change.relative)
    if subject.metric in _TIMED:
        word = "slower" if larger else "faster"
        return f"{subject.sha} made {subject.model} {size} {word} {subject.where}"
    verb = "raised" if larger else "lowered"
    if not change.before:  # nothing has a ratio to zero
        moved = values_words(subject.metric, change).replace("→", "to")
        return f"{subject.sha} {verb} the {subject.title} of {subject.model} from {moved} {subject.where}"
    return f"{subject.sha} {verb} the {subject.title} of {subject.model} by {size} {subject.where}"


def confirmed_sentence(subject: Subject, change: Change, *, pairs: int) -> str:
    """A change that a comparison confirmed, with its values and interval."""
    return f"{_change_told(subject, change)} Confirmed by {pairs} interleaved pairs."


def exact_sentence(subject: Subject, change: Change) -> str:
    """A change of a metric that is counted: no comparison could add anything."""
    return f"{_change_told(subject, change)} Counted, not timed: one report settles it."


def same_sentence(subject: Subject, change: Change, *, pairs: int) -> str:
    """A suspicion that a comparison refuted: no change, or one too small to matter."""
    what = f"the {subject.title} of {subject.model} {subject.where}"
    told = f"{change_words(change)} over {pairs} interleaved pairs"
    if change.low is not None and change.high is not None and (change.low > 0 or change.high < 0):
        values = values_words(subject.metric, change)
        return f"{subject.sha} changed {what} by less than matters: {values}, {told}."
    return f"{subject.sha} did not change {what}: {told}."


def unknown_sentence(subject: Subject, *, reason: str) -> str:
    """No verdict, and why not."""
    return (
        f"Whether {subject.sha} changed the {subject.title} of {subject.model} {subject.where} "
        f"is not known: {reason}."
    )


def later_sentence(subject: Subject, change: Change, *, builds: int) -> str:
    """A change of what was measured elsewhere: later builds show it, nothing was run again."""
    return f"{_change_told(subject, change)} Not run again: {builds} builds show it."


def unmoved_sentence(subject: Subject, *, builds: int) -> str:
    """A suspicion of what was measured elsewhere that later builds do not show."""
    return (
        f"{subject.sha} did not change the {subject.title} of {subject.model} {subject.where}: "
        f"{builds} builds from it on do not show it."
    )


def moved_sentence(subject: Subject, change: Change, *, machine: Sequence[str]) -> str:
    """A level that moved with the environment while the code stayed as fast as it was."""
    larger = change.after > change.before
    verb = ("slower" if larger else "faster") if subject.metric in _TIMED else None
    size = percent(change.relative)
    moved = (
        f"{subject.model} became {size} {verb}"
        if verb
        else f"the {subject.title} of {subject.model} {'rose' if larger else 'fell'} by {size}"
    )
    return (
        f"Since {subject.sha}, but not because of it, {moved} {subject.where}: {subject.title} "
        f"{values_words(subject.metric, change)}, {change_words(change)}; {machine_told(machine)}."
    )


def environment_sentence(
    subject: Subject, *, machine: Sequence[str], bits: str, innocent: str, history: str
) -> str:
    """What changed on a device class, and why the commit is innocent; the first sentence of an incident."""
    told = machine_told(machine)
    if told.startswith(("the ", "something ")):  # but a library keeps its own spelling
        told = told[0].upper() + told[1:]
    return (
        f"{bits}{told} on {subject.device_class}; "
        f"the code of {subject.sha} is innocent: {innocent}, "
        f"while the history of {subject.model} shows {history}."
    )


def machine_told(machine: Sequence[str]) -> str:
    """What changed around the code, in one phrase."""
    return "; ".join(machine) if machine else "something changed that no report tells"


def wrong_sentence(subject: Subject, change: Change, drift: Subject, drifted: Change) -> str:
    """A build that is faster and answers wrong: the price beside the gain, in one sentence."""
    return (
        f"{change_sentence(subject, change)}, and its answers wrong: {drift.title} "
        f"{values_words(drift.metric, drifted)}."
    )


def spread_sentence(sha: str, *, before: float, after: float) -> str:
    """A level whose scatter grew; `before` and `after` are standard deviations relative to the level."""
    sizes = f"{percent(after)} of the level instead of {percent(before)}"
    return (
        f"Since about {sha} the values scatter {after / before:.1f} times as widely as before ({sizes}) "
        "while the level stayed: an instability, not a regression. Look for other work on the machine, "
        "or for code that became less regular."
    )


def screen_reason(because: str) -> str:
    """Why the screen gave no verdict, as the end of a sentence."""
    return _REASONS.get(because, because)


def _change_told(subject: Subject, change: Change) -> str:
    return (
        f"{change_sentence(subject, change)}: {subject.title} "
        f"{values_words(subject.metric, change)}, {change_words(change)}."
    )


def _bare(ratio: float) -> str:
    value = ratio * 100.0
    return f"{value:.1f}".replace("-", "−")
