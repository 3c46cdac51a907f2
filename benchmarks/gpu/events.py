"""GPU time by CUDA events on the stream that works; a host clock never stands in for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

PAIR_SECONDS = 0.010  # an event's grain and jitter, below a microsecond, is then below 0.01 %
MOST_PER_PAIR = 1000
IN_FLIGHT = 3  # pairs enqueued ahead, so that the GPU never waits for the host in between
_PROBE = 10


@dataclass(frozen=True)
class Pair:
    """Two events on a stream with `launches` launches between them."""

    first: Any
    last: Any
    launches: int

    @classmethod
    def enqueue(cls, submit: Callable[[], None], stream: Any, launches: int) -> Pair:
        """Enqueue event, launches, event; does not wait."""
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record(stream)
        for _ in range(launches):
            submit()
        last.record(stream)
        return cls(first, last, launches)

    def seconds(self) -> float:
        """Seconds per launch, once the GPU is past the second event."""
        self.last.synchronize()
        return self.first.elapsed_time(self.last) * 1e-3 / self.launches  # CUDA tells milliseconds


def launches_time(submit: Callable[[], None], stream: Any, *, pairs: int, per_pair: int) -> np.ndarray:
    """Seconds per launch (pairs,), each the mean of `per_pair` launches between two events.

    `submit` enqueues one launch on `stream` and does not wait.
    """
    waiting: deque[Pair] = deque()
    seconds: list[float] = []
    for _ in range(pairs):
        waiting.append(Pair.enqueue(submit, stream, per_pair))
        if len(waiting) >= IN_FLIGHT:
            seconds.append(waiting.popleft().seconds())
    seconds += [pair.seconds() for pair in waiting]
    return np.asarray(seconds)


def launches_per_pair(submit: Callable[[], None], stream: Any, pair_s: float = PAIR_SECONDS) -> int:
    """How many launches fill `pair_s` seconds on the GPU."""
    each = float(np.median(launches_time(submit, stream, pairs=3, per_pair=_PROBE)))
    return int(np.clip(round(pair_s / max(each, 1e-9)), 1, MOST_PER_PAIR))


def cold_launches_time(submit: Callable[[], None], stream: Any, *, launches: int) -> np.ndarray:
    """Seconds of single launches (launches,), each after the L2 cache was overwritten.

    The overwriting lies outside the events, in the same stream.
    """
    size = 4 * torch.cuda.get_device_properties("cuda").L2_cache_size
    flood = torch.empty(size, dtype=torch.int8, device="cuda")
    pairs = []
    with torch.cuda.stream(stream):
        for _ in range(launches):
            flood.zero_()
            pairs.append(Pair.enqueue(submit, stream, 1))
    return np.asarray([pair.seconds() for pair in pairs])
