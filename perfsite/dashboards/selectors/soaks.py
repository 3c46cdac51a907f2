"""What a soak's page shows: the readings it sent, and what its report said of them."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from benchmarks.cases import Case
from benchmarks.metrics import format_bytes, format_plain
from benchmarks.soak_readings import SoakCounter, SoakReadings, is_readings
from perfsite.core.errors import NotFoundError
from perfsite.dashboards.formatting import duration_text
from perfsite.results.models import Artifact
from perfsite.runs.cases import cases_of
from perfsite.runs.models import Job
from perfsite.runs.states import JOB_ENDED

_MOST_BYTES = 4 * 2**20  # ten times what 3,000 readings of every kind take


@dataclass(frozen=True)
class CounterTold:
    """A kind of memory in words: its slope with bounds, and what that is in a second."""

    counter: SoakCounter
    slope: str
    bounds: str
    per_second: str


def soak_case(job: Job) -> Case | None:
    """The case a job soaks, None where it soaks none."""
    return next((case for case in cases_of(job.spec) if case.suite == "soak"), None)


def soak_file(job: Job) -> Artifact | None:
    """The readings of a job's soak."""
    files = job.artifacts.filter(kind="other", name__startswith="soak-").order_by("name")
    return next((file for file in files if is_readings(file.name)), None)


def soak_readings(job: Job) -> SoakReadings | None:
    """The readings over time; None while the job has not ended.

    Raises:
        NotFoundError: the job is no soak, kept no readings, or they cannot be read; it says which.
    """
    if soak_case(job) is None:
        raise NotFoundError(f"Job {job.pk} is no soak: its run's page shows what it measured.")
    file = soak_file(job)
    if file is None:
        if job.state not in JOB_ENDED:
            return None
        raise NotFoundError(
            f"Job {job.pk} left no readings over time: it failed, or its worker is older than they are. "
            "Its run's page has what it reported; bring the worker up to date and run it again."
        )
    if file.size > _MOST_BYTES:
        raise NotFoundError(
            f"{file.name} has {file.size} bytes, {_MOST_BYTES} are drawn at most; the run's page offers it."
        )
    try:
        with file.file.open("rb") as stored:
            return SoakReadings.model_validate_json(stored.read())
    except OSError:
        raise NotFoundError(
            f"{file.name} is no longer stored; the run's page has what was reported."
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise NotFoundError(
            f"{file.name} is damaged: {first['msg']}. The run's page offers it for download."
        ) from None


def counters_told(readings: SoakReadings) -> list[CounterTold]:
    """Every kind of memory with its slope in words."""
    seconds = readings.at_s[-1]
    done = sum(readings.iterations[part][-1] for part in readings.parts())
    rate = done / seconds if seconds else 0.0
    return [_counter_told(counter, rate) for counter in readings.counters]


def _counter_told(counter: SoakCounter, rate: float) -> CounterTold:
    def write(value: float) -> str:
        text = format_bytes(value) if counter.memory else format_plain(value)
        return text.removeprefix("-") if text.startswith("-0 ") else text

    if counter.slope is None:
        return CounterTold(counter, "–", "", "–")
    bounds = ""
    if counter.slope_low is not None and counter.slope_high is not None:
        bounds = f"{write(counter.slope_low)} to {write(counter.slope_high)}"
    return CounterTold(counter, write(counter.slope), bounds, write(counter.slope * rate))


def lasts_text(readings: SoakReadings) -> str:
    """How long memory lasts, with its bounds; empty where nothing leaks."""
    if readings.out_of_memory_s is None:
        return ""
    low, high = readings.out_of_memory_low_s, readings.out_of_memory_high_s
    text = duration_text(readings.out_of_memory_s)
    bounds = [duration_text(one) if one is not None else "?" for one in (low, high)]
    return text if low is None and high is None else f"{text} ({bounds[0]} to {bounds[1]})"
