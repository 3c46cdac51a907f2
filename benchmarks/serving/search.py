"""Searches that repeat what they measure: the highest rate within a bound, and the knee of batches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.stats import Interval

REPEATS = 3
STEP = 1.05  # the search ends when two neighbouring rates, one within and one beyond, are this close
NEAR = math.log(2.0)  # closer to the bound than this, one run does not decide
NEAR_RATE = math.log(1.5)  # and runs at rates as close to the answer tell where it lies
LOST_SHARE = 0.025  # of the resamplings may show no rise
CLIP = math.log(3.0)  # how far beyond matters no more
MOST_RATES = 40
SLOWEST_SHARE = 1 / 16  # of the first rate tried: below it the bound cannot be met
KNEE_SHARE = 0.95

_RESAMPLES = 1000
_SEED = 0

Tried = dict[float, list[float]]


@dataclass(frozen=True)
class Highest:
    """The highest rate within a bound with its 95 % interval, and how many runs it took.

    `capped` says that the highest rate allowed still met the bound.
    """

    rate: Interval
    runs: int
    capped: bool


@dataclass
class _Search:
    """Rates tried so far, each with the logarithms of what it measured over the bound."""

    excess: Callable[[float, int], float]
    most: float
    tried: Tried = field(default_factory=dict)

    def decide(self, rate: float) -> None:
        """Measure a rate: once when that is clear, else with repeats."""
        if not self.tried.setdefault(rate, []):
            self._run(rate)
        if abs(self.tried[rate][0]) <= NEAR:
            self.settle(rate)

    def settle(self, *rates: float | None) -> bool:
        """Measure these rates until they have all their repeats; false when they had."""
        missing = [rate for rate in rates if rate is not None and len(self.tried[rate]) < REPEATS]
        for rate in missing:
            while len(self.tried[rate]) < REPEATS:
                self._run(rate)
        return bool(missing)

    def _run(self, rate: float) -> None:
        values = self.tried[rate]
        values.append(float(np.clip(self.excess(rate, len(values)), -CLIP, CLIP)))

    @property
    def runs(self) -> int:
        """How often anything was measured."""
        return sum(map(len, self.tried.values()))


def highest_rate(excess: Callable[[float, int], float], *, first: float, most: float) -> Highest | None:
    """Bisect on the logarithm of the rate for the highest one within a bound; None where none is.

    `excess(rate, repeat)` measures once and returns the logarithm of the result over the bound:
    negative is within.  The search begins at `first` and never goes above `most`.  A rate is decided
    by one run only where that is off by a factor of two; nearer the median of three decides, and
    the two rates that bound the answer always have three.  A rate that a repeat turns around reopens
    the search.  The answer is where a line through all runs near it meets the bound; its interval tells the
    machine's noise.  When `excess` draws the same luck for a repeat at every rate, that luck is not in it.
    """
    search = _Search(excess, most)
    rate = min(first, most)
    while len(search.tried) < MOST_RATES:
        search.decide(rate)
        low, high = _bracket(search.tried)
        if low is None and rate < first * SLOWEST_SHARE:
            return None
        if not _is_narrow(low, high, most):
            rate = _next(low, high, most)
        elif not search.settle(low, high):
            break
    capped = _bracket(search.tried)[1] is None
    return Highest(_crossing_interval(search.tried), search.runs, capped)


def _is_narrow(low: float | None, high: float | None, most: float) -> bool:
    if low is None:
        return False
    return low >= most if high is None else high / low <= STEP


def _next(low: float | None, high: float | None, most: float) -> float:
    """The rate to try: half of what is too much, twice what is not, or between them."""
    if low is None:
        return (high or most) / 2
    return min(low * 2, most) if high is None else math.sqrt(low * high)


def _bracket(tried: Tried) -> tuple[float | None, float | None]:
    """The last rate up to which all are within, and the next one tried; None where there is none."""
    low = None
    for rate in sorted(tried):
        if np.median(tried[rate]) > 0:
            return low, rate
        low = rate
    return low, None


def _crossing(tried: Tried) -> float:
    """Where the medians cross the bound, log-linear between the two rates around it."""
    low, high = _bracket(tried)
    if low is None or high is None:
        return float(high or low or math.nan)
    below, above = float(np.median(tried[low])), float(np.median(tried[high]))
    share = -below / (above - below)
    return float(low * (high / low) ** share)


def _crossing_interval(tried: Tried) -> Interval:
    """Where a line through every run near the crossing meets the bound, by resampling those runs.

    Over the logarithms: it is half as noisy as the two rates around the crossing
    alone, and resampling the bisection would forget what a rate once decided.  Where too few runs lie
    near, because the result leaps there, or they do not rise: the two rates around the crossing.
    """
    value = _crossing(tried)
    around = Interval(value, *_bracket(tried))
    runs = [(math.log(rate / value), one) for rate, values in tried.items() for one in values]
    near = np.asarray([(x, y) for x, y in runs if abs(y) < CLIP and abs(x) <= NEAR_RATE])
    if len(near) < 2 * REPEATS:
        return around
    generator = np.random.default_rng(_SEED)
    picks = generator.integers(len(near), size=(_RESAMPLES, len(near)))
    zeros = _line_zeros(near[picks, 0], near[picks, 1])
    best = float(_line_zeros(near[:, 0], near[:, 1]))
    if not math.isfinite(best) or np.isnan(zeros).mean() > LOST_SHARE:
        return around
    low, high = np.exp(np.nanquantile(zeros, (0.025, 0.975))) * value
    value *= math.exp(best)
    return Interval(value, min(float(low), value), max(float(high), value))


def _line_zeros(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where the Theil-Sen lines through `x`, `y` (..., n) are zero: (...,); nan where they do not rise.

    The slope is the median of all pairs', the height the median of what it leaves: a disturbed run
    does not turn the line (Sen 1968, Journal of the American Statistical Association 63).
    """
    first, second = np.triu_indices(x.shape[-1], k=1)
    across = x[..., second] - x[..., first]
    slopes = np.divide(
        y[..., second] - y[..., first], across, out=np.full(across.shape, np.nan), where=across != 0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a resampling of one rate alone has no slope
        slope = np.nanmedian(slopes, axis=-1)
    height = np.median(y - slope[..., None] * x, axis=-1)
    rising = slope > 0
    return np.divide(-height, slope, out=np.full(slope.shape, np.nan), where=rising)


def knee_index(rates: np.ndarray) -> int:
    """The first of `rates` (batches,) that is within 5 % of the highest."""
    return int(np.argmax(rates >= KNEE_SHARE * rates.max()))


def knee_find(passes: np.ndarray, batches: tuple[int, ...]) -> tuple[Interval, Interval]:
    """The smallest batch within 5 % of the best, and the highest throughput, with their intervals.

    `passes` (passes, batches) holds the throughput of each batch in each pass over all of them; the
    medians over the passes decide.  The intervals resample whole passes, whose batches shared the
    same minutes.
    """
    medians = np.median(passes, axis=0)
    knee, best = float(batches[knee_index(medians)]), float(medians.max())
    generator = np.random.default_rng(_SEED)
    picks = generator.integers(len(passes), size=(_RESAMPLES, len(passes)))
    drawn = np.median(passes[picks], axis=1)  # (resamples, batches)
    knees = [batches[knee_index(row)] for row in drawn]
    low, high = np.quantile(knees, (0.025, 0.975), method="nearest")
    worst, top = np.quantile(drawn.max(axis=1), (0.025, 0.975))
    return (
        Interval(knee, min(float(low), knee), max(float(high), knee)),
        Interval(best, min(float(worst), best), max(float(top), best)),
    )
