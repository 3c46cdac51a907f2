"""Rates of processes that worked at the same time: what all did in the time that all were at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.errors import MeasureError

SLICES = 20
SHORTEST_SHARE = 0.5  # of the shortest timeline, that all must have in common


@dataclass(frozen=True)
class Timeline:
    """What one process did: at `stamps_ns` (k + 1,), nanoseconds of the machine's one monotonic clock,
    it had finished 0, `each`, 2 `each`, ... k `each` samples.

    `no_graph` says why its inferences were not CUDA graphs; empty when they were, or without a GPU.
    """

    stamps_ns: np.ndarray
    each: int
    no_graph: str = ""

    def done_at(self, moments_ns: np.ndarray) -> np.ndarray:
        """Samples finished by each moment (m,), in between by proportion."""
        done = np.arange(self.stamps_ns.size) * self.each
        return np.interp(moments_ns, self.stamps_ns, done)


def common_rates(timelines: Sequence[Timeline], slices: int = SLICES) -> np.ndarray:
    """Samples per second of all together, in equal slices of the time they have in common: (slices,).

    Raises:
        MeasureError: they were hardly at work at the same time.
    """
    begin = max(int(one.stamps_ns[0]) for one in timelines)
    end = min(int(one.stamps_ns[-1]) for one in timelines)
    shortest = min(int(one.stamps_ns[-1] - one.stamps_ns[0]) for one in timelines)
    if end - begin < SHORTEST_SHARE * shortest:
        raise MeasureError(
            f"the {len(timelines)} processes worked at the same time for {max(0, end - begin) / 1e9:.2f} s "
            f"of {shortest / 1e9:.2f} s only; measure longer, or stop other work on the machine"
        )
    edges = np.linspace(begin, end, slices + 1)
    done = np.sum([one.done_at(edges) for one in timelines], axis=0)
    rates: np.ndarray = np.diff(done) / (np.diff(edges) * 1e-9)
    return rates
