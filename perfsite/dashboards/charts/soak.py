"""The course of a soak as strips below each other with one time axis: geometry only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.metrics import format_bytes, format_plain, format_rate
from benchmarks.soak_readings import SoakCounter, SoakReadings

WIDTH, HEIGHT = 1000, 100
_WARM = 0.25  # of a segment's time, which no slope is told from
_LEAST_SPAN = 0.04  # of the value: noise must not look like a climb
_NEAR = 0.1  # a span below this share of the value is told as a difference

Place = tuple[float, float]


@dataclass(frozen=True)
class Strip:
    """One line over time.  `lines` and `fits` are SVG points, a list per segment, `wedges` the bounds of
    the fits; `labels` are the values at the top, in the middle and at the bottom; `newest` the last one."""

    name: str
    words: str
    lines: tuple[str, ...]
    fits: tuple[str, ...]
    wedges: tuple[str, ...]
    labels: tuple[str, str, str]
    newest: str


def soak_strips(readings: SoakReadings) -> list[Strip]:
    """The memory kinds, the rate, and what the GPU told; a kind that nobody read has no strip."""
    end_s = readings.at_s[-1]
    parts = [part for part in readings.parts() if part.stop > part.start]
    strips = [_counter_strip(readings, counter, parts, end_s) for counter in readings.counters]
    rates = [[*zip(readings.at_s[part], readings.rates[part], strict=True)] for part in parts]
    strips.append(_strip("rate", "Iterations per second", rates, end_s, format_rate))
    gauge = readings.gauge
    span_s = max([end_s, *gauge.at_s])
    for name, words, values, write, least in (
        ("temperature", "Temperature of the GPU", gauge.temperature, _unit("°C"), 10.0),
        ("power", "Power of the GPU", gauge.power, _unit("W"), 0.0),
        ("clock", "Clock of the GPU's processors", gauge.sm_clock, _megahertz, 0.0),
    ):
        strips.append(
            _strip(name, words, [[*zip(gauge.at_s, values, strict=True)]], span_s, write, least=least)
        )
    return [strip for strip in strips if strip is not None]


def segment_marks(readings: SoakReadings) -> list[float]:
    """Where a new process began, in pixels, the first one left out."""
    end_s = readings.at_s[-1] or 1.0
    return [round(WIDTH * row.start_s / end_s, 1) for row in readings.segments[1:]]


def _counter_strip(
    readings: SoakReadings, counter: SoakCounter, parts: Sequence[slice], end_s: float
) -> Strip | None:
    values = [[*zip(readings.at_s[part], counter.values[part], strict=True)] for part in parts]
    # a slope that nobody could tell from noise is no line to draw
    slopes = (counter.slope, counter.slope_low, counter.slope_high) if counter.verdict == "leak" else ()
    fits = [fit for part in parts if slopes and (fit := _fit(readings, counter, part, slopes)) is not None]
    write = format_bytes if counter.memory else format_plain
    words = counter.words[:1].upper() + counter.words[1:]
    return _strip(counter.name, words, values, end_s, write, fits=fits)


Fit = tuple[Place, float, float | None, float | None, float]


def _fit(
    readings: SoakReadings, counter: SoakCounter, part: slice, slopes: tuple[float | None, ...]
) -> Fit | None:
    """Where a segment's slope starts, the values it and its bounds reach, and when (s); None if too short."""
    value, low, high = slopes
    start_s, end_s = readings.at_s[part][0], readings.at_s[part][-1]
    rows = [
        (at, count, told)
        for at, count, told in zip(
            readings.at_s[part], readings.iterations[part], counter.values[part], strict=True
        )
        if told is not None and at >= start_s + _WARM * (end_s - start_s)
    ]
    if value is None or len(rows) < 2:
        return None
    (first_s, begun, _), (last_s, done, _) = rows[0], rows[-1]
    height = median(told - value * (count - begun) for _, count, told in rows)
    ends = [None if one is None else height + one * (done - begun) for one in (value, low, high)]
    assert ends[0] is not None  # `value` is a number
    return (first_s, height), ends[0], ends[1], ends[2], last_s


def _strip(
    name: str,
    words: str,
    segments: Sequence[Sequence[tuple[float, float | None]]],
    end_s: float,
    write: Callable[[float], str],
    *,
    fits: Sequence[Fit] = (),
    least: float = 0.0,
) -> Strip | None:
    known = [value for segment in segments for _, value in segment if value is not None]
    if not known:
        return None
    reached = [one for fit in fits for one in (fit[0][1], *fit[1:4]) if one is not None]
    low, high = _span([*known, *reached], least=least, is_leak=bool(fits))

    def place(at: float, value: float) -> str:
        return f"{WIDTH * at / (end_s or 1.0):.1f},{HEIGHT * (high - value) / (high - low):.1f}"

    lines = [
        " ".join(place(at, value) for at, value in run) for segment in segments for run in _runs(segment)
    ]
    return Strip(
        name=name,
        words=words,
        lines=tuple(lines),
        fits=tuple(f"{place(*fit[0])} {place(fit[4], fit[1])}" for fit in fits),
        wedges=tuple(
            f"{place(*start)} {place(end, least_end)} {place(end, most_end)}"
            for start, _, least_end, most_end, end in fits
            if least_end is not None and most_end is not None
        ),
        labels=_labels(low, high, write),
        newest=write(known[-1]),
    )


def _runs(segment: Sequence[tuple[float, float | None]]) -> list[list[Place]]:
    """The stretches without a missing value."""
    runs: list[list[Place]] = [[]]
    for at, value in segment:
        if value is None:
            runs.append([])
        else:
            runs[-1].append((at, value))
    return [run if len(run) > 1 else [*run, *run] for run in runs if run]


def _span(values: Sequence[float], *, least: float, is_leak: bool) -> tuple[float, float]:
    """The lowest and the highest value to draw, never equal."""
    low, high = min(values), max(values)
    wanted = max(least, 0.0 if is_leak else _LEAST_SPAN * abs(high)) or 1.0
    if high - low < wanted:
        middle = (low + high) / 2
        low, high = middle - wanted / 2, middle + wanted / 2
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def _labels(low: float, high: float, write: Callable[[float], str]) -> tuple[str, str, str]:
    """Top, middle and bottom; where all would read alike, the upper two as what they are above the bottom."""
    middle = (low + high) / 2
    if low > 0 and high - low < _NEAR * low and len({write(low), write(middle), write(high)}) < 3:
        return f"+{write(high - low)}", f"+{write(middle - low)}", write(low)
    return write(high), write(middle), write(max(low, 0.0) if low < 0 <= high else low)


def _unit(unit: str) -> Callable[[float], str]:
    return lambda value: f"{value:.0f}\N{NO-BREAK SPACE}{unit}"


def _megahertz(value: float) -> str:
    return f"{value / 1e6:,.0f}\N{NO-BREAK SPACE}MHz"
