"""Raw samples of one report as a few block values, so that two reports can be compared in pairs."""

from __future__ import annotations

import numpy as np

from benchmarks.report import Measurement

BLOCKS = 8
FEWEST_PER_BLOCK = 3
_LEVELS = {"latency_p50": 0.5, "latency_p90": 0.9, "latency_p99": 0.99, "gpu_compute_time_p99": 0.99}


def samples_split(measurement: Measurement) -> tuple[float, ...]:
    """The metric of up to 8 consecutive blocks of the samples, or its one value without samples.

    A block has at least three samples, and enough for its percentile to be more than its maximum.
    """
    samples = np.asarray(measurement.samples)
    level = _LEVELS.get(measurement.metric, 0.5)
    fewest = max(FEWEST_PER_BLOCK, round(1 / (1 - level)))
    blocks = min(BLOCKS, samples.size // fewest)
    if blocks < 2:
        return (measurement.value,)
    return tuple(float(np.quantile(block, level)) for block in np.array_split(samples, blocks))
