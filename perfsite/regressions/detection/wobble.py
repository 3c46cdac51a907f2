"""How much a series strays by itself: the size of one point's noise, and of means of several points.

Two ideas.  The noise of a point comes from differences of neighbours, so a step is one large
difference among many (von Neumann 1941, made robust).  How far means of k points stray comes from the
same comparison the detector makes, made everywhere in the past: neighbouring windows of k points
against each other (Allan 1966, "Statistics of atomic frequency standards"; Shao and Zhang 2010, "Testing
for change points in time series", call the idea self-normalisation).  Wander, seasons and sticky
modes thereby pay for themselves, and white noise pays nothing.
"""

from __future__ import annotations

import math

import numpy as np

from perfsite.regressions.detection.noise import Values

# points; ratios near 1.5, as neighbours then share most of their news
WINDOWS = (1, 2, 3, 5, 8, 12, 18, 27, 40)
# noise units; a point farther out counts as this far (Huber 1964): wide for speed, narrow for spikes
CLIPS = (4.5, 2.0)
LONGEST = 128  # points a contrast may look back

# median and 90 % trimmed mean of |difference| of two standard normal values
_MEDIAN_DIFFERENCE = 0.9539
_TRIMMED_DIFFERENCE = 0.9270
_LOG_WINDOWS = np.log(np.array(WINDOWS, dtype=np.float64))
_LOG_LENGTHS = np.log(np.arange(1, LONGEST + 1))
# what a window's ratio must exceed its own sampling error by, squared, before half of it is believed
_BELIEF = 1.0
_FREEDOM = 0.75  # independent windows per length of history over window length, overlapping ones counted in


def point_noise(residuals: Values, *, prior: float, weight: float) -> float:
    """The standard deviation of one of `residuals`, shape (n,), pooled with `prior` worth `weight` points.

    The larger of two robust scales of neighbours' differences: their median, and their trimmed mean,
    which is not zero where values are quantised or have two modes.
    """
    differences = np.abs(residuals[1:] - residuals[:-1])
    differences.sort()
    count = len(differences)
    if not count:
        return prior
    body = float(differences[count // 2]) / _MEDIAN_DIFFERENCE
    kept = differences[: max(count - max(count // 10, min(2, count - 1)), 1)]
    trimmed = float(kept.sum()) / len(kept) / _TRIMMED_DIFFERENCE
    largest = max(body, trimmed)
    return math.sqrt((largest * largest * count + prior * prior * weight) / (count + weight))


def wobble_curve(clipped: Values) -> Values:
    """The variance of sums of k neighbours over k, for k in `WINDOWS`; shape (n,) -> (len(WINDOWS),).

    In white noise it is the variance of a point at every k.  A window length adds to it only what
    exceeds its own sampling error, by the positive-part shrinkage of James and Stein (1961).
    """
    count = len(clipped)
    sums = np.zeros(count + 1)
    np.cumsum(clipped, out=sums[1:])
    differences = clipped[1:] - clipped[:-1]
    single = max(float(differences @ differences) / max(2 * (count - 1), 1), 0.25)
    curve = [single]
    for window in WINDOWS[1:]:
        curve.append(max(curve[-1], single * _excess(sums, window, single)))
    return np.array(curve)


def _excess(sums: Values, window: int, single: float) -> float:
    """By which factor the variance of windows exceeds that of white noise; 1 where nothing shows."""
    if len(sums) < 3 * window + 3:
        return 1.0
    strayed = sums[2 * window :] - 2.0 * sums[window:-window] + sums[: -2 * window]
    mean = float(strayed @ strayed) / len(strayed) / (2.0 * window)
    ratio = math.log(max(mean / single, 1.0))
    news = ratio * ratio * _FREEDOM * len(strayed) / window / 2.0
    return math.exp(ratio * max(0.0, 1.0 - _BELIEF / news)) if news else 1.0


def mean_variance(curve: Values) -> Values:
    """The variance of the mean of 1, 2, ... `LONGEST` neighbours; shape (len(WINDOWS),) -> (LONGEST,)."""
    logs = np.interp(_LOG_LENGTHS, _LOG_WINDOWS, np.log(curve))
    return np.exp(logs - _LOG_LENGTHS)
