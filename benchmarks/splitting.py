"""Raw samples of one report as a few block values, so that two reports can be compared in pairs."""

from __future__ import annotations

import re

import numpy as np

from benchmarks.report import Measurement

BLOCKS = 8
FEWEST_PER_BLOCK = 3
_PERCENTILE = re.compile(r"_p(\d\d)$")


def samples_split(measurement: Measurement) -> tuple[float, ...]:
    """The metric of up to 8 consecutive blocks of the samples, or its one value without samples.

    A block's value is what the metric's name ends in: a percentile, a mean, else the median.  A block
    has at least three samples, and enough for its percentile to be more than its maximum.
    """
    samples = np.asarray(measurement.samples)
    level = _level(measurement.metric)
    fewest = max(FEWEST_PER_BLOCK, round(1 / (1 - level)))
    blocks = min(BLOCKS, samples.size // fewest)
    if blocks < 2:
        return (measurement.value,)
    parts = np.array_split(samples, blocks)
    if measurement.metric.endswith("_mean"):
        return tuple(float(np.mean(part)) for part in parts)
    return tuple(float(np.quantile(part, level)) for part in parts)


def _level(metric: str) -> float:
    found = _PERCENTILE.search(metric)
    return int(found[1]) / 100 if found else 0.5
