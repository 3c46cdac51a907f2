"""When requests come: a Poisson process, drawn ahead and seeded."""

from __future__ import annotations

import numpy as np


def poisson_arrivals(qps: float, count: int, seed: int) -> np.ndarray:
    """Moments of `count` arrivals (count,), in seconds, at `qps` requests per second on average.

    The gaps of one seed are the same numbers at every rate, only scaled: two rates, or two builds,
    then meet the same bad luck, and what differs between them is not the draw (common random
    numbers; Law, Simulation Modeling and Analysis, 11.2).
    """
    gaps = np.random.default_rng(seed).exponential(size=count)
    arrivals: np.ndarray = np.cumsum(gaps) / qps
    return arrivals
