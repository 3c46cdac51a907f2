"""The times that `trtexec --exportTimes` writes: a list with one object per iteration, in ms.  Pure.

`computeMs` is GPU time; `latencyMs` is the copy to the GPU, GPU time and the copy back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from perfsite.client.formats.reading import document, number
from perfsite.client.measured import FormatError, Measured, Reading, median_interval, percentile

WHAT = "a file of trtexec --exportTimes"


def read(text: str, name: str) -> Reading:
    """Median and 99th percentile of the GPU time, median of the latency with copies.

    Raises:
        FormatError: it is another format, or names no model.
    """
    told = document(text, what=WHAT)
    if not isinstance(told, list) or not told:
        raise FormatError(f"{WHAT} is a list with an object per iteration, and not empty")
    if not name:
        raise FormatError("trtexec's times do not name the model; give it with --name")
    compute = [number(one, "computeMs", where=f"iteration {i}") / 1e3 for i, one in enumerate(told)]
    latency = [number(one, "latencyMs", where=f"iteration {i}") / 1e3 for i, one in enumerate(told)]
    told_of = partial(Measured, model=name[:100], runner="trtexec", suite="latency")
    return Reading(
        [
            _median(told_of, "gpu_compute_time_p50", compute),
            told_of(metric="gpu_compute_time_p99", value=percentile(compute, 0.99), n=len(compute)),
            _median(told_of, "latency_with_copies_p50", latency),
        ],
        "trtexec",
    )


def _median(told_of: Callable[..., Measured], metric: str, values: list[float]) -> Measured:
    value, low, high = median_interval(values)
    return told_of(metric=metric, value=value, ci_low=low, ci_high=high, n=len(values))
