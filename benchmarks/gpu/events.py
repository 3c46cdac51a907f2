"""GPU time by CUDA events on the stream that works; a host clock never stands in for it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

PAIR_SECONDS = 0.010  # an event's grain and jitter, below a microsecond, is then below 0.01 %
MOST_PER_PAIR = 1000
IN_FLIGHT = 3  # pairs enqueued ahead, so that the GPU never waits for the host in between
LEAD_FACTOR = 3.0  # of what the host needs to enqueue one launch and its events
LEAD_LEAST_S = 50e-6
LEAD_MOST_S = 5e-3
_PROBE = 10
_PROBE_CYCLES = 1_000_000


@dataclass(frozen=True)
class Spin:
    """A kernel on a stream that does nothing for `seconds`, while the host enqueues what follows."""

    stream: Any
    cycles: int
    seconds: float

    def enqueue(self) -> None:
        """Enqueue it; does not wait."""
        with torch.cuda.stream(self.stream):
            torch.cuda._sleep(self.cycles)


@dataclass(frozen=True)
class Pair:
    """Two events on a stream with `launches` launches between them."""

    first: Any
    last: Any
    launches: int

    @classmethod
    def enqueue(
        cls, submit: Callable[[], None], stream: Any, launches: int, lead: Spin | None = None
    ) -> Pair:
        """Enqueue event, launches, event, all behind `lead` where there is one; does not wait."""
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        if lead is not None:
            lead.enqueue()
        first.record(stream)
        for _ in range(launches):
            submit()
        last.record(stream)
        return cls(first, last, launches)

    def seconds(self) -> float:
        """Seconds per launch, once the GPU is past the second event."""
        self.last.synchronize()
        return self.first.elapsed_time(self.last) * 1e-3 / self.launches  # CUDA tells milliseconds


def launches_time(
    submit: Callable[[], None], stream: Any, *, pairs: int, per_pair: int, lead: Spin | None = None
) -> np.ndarray:
    """Seconds per launch (pairs,), each the mean of `per_pair` launches between two events.

    `submit` enqueues one launch on `stream` and does not wait.  Pairs shorter than the host needs to
    enqueue one want a `lead` before each (see `spin_lead`): the GPU would reach the first event before
    the launch is there, and the host's time would lie between the events.
    """
    waiting: deque[Pair] = deque()
    seconds: list[float] = []
    for _ in range(pairs):
        waiting.append(Pair.enqueue(submit, stream, per_pair, lead))
        if len(waiting) >= IN_FLIGHT:
            seconds.append(waiting.popleft().seconds())
    seconds += [pair.seconds() for pair in waiting]
    return np.asarray(seconds)


def launches_per_pair(submit: Callable[[], None], stream: Any, pair_s: float = PAIR_SECONDS) -> int:
    """How many launches fill `pair_s` seconds on the GPU."""
    each = float(np.median(launches_time(submit, stream, pairs=3, per_pair=_PROBE)))
    return int(np.clip(round(pair_s / max(each, 1e-9)), 1, MOST_PER_PAIR))


def spin_lead(submit: Callable[[], None], stream: Any) -> Spin:
    """A lead that lasts three times as long as the host needs for one launch, 50 µs at least.

    At most 5 ms: a launch that takes the host longer is one of many kernels without a CUDA graph, and
    its time is the host's whatever goes before.
    """
    host = []
    for _ in range(_PROBE):
        begun = time.perf_counter()
        pair = Pair.enqueue(submit, stream, 1)
        host.append(time.perf_counter() - begun)
        pair.seconds()
    seconds = float(np.clip(LEAD_FACTOR * np.median(host), LEAD_LEAST_S, LEAD_MOST_S))
    probe = Spin(stream, _PROBE_CYCLES, 0.0)
    # the last: the first loads the kernel, and the clock may still rise
    spun = launches_time(probe.enqueue, stream, pairs=_PROBE, per_pair=1)[-1]
    return Spin(stream, max(1, round(_PROBE_CYCLES * seconds / max(spun, 1e-9))), seconds)


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
