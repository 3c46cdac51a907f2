"""The server: one thread that takes requests from a queue, in real time or in a test's.

There is no generator thread, and none is needed: the arrivals are drawn ahead, and whatever was due
by the clock's reading has arrived.  A generator in the same interpreter would share its lock with the
server and be late whenever the server is busy, which is when it matters; here a request's moment
cannot move.  Latency counts from that intended moment, so a slow answer is charged with the wait of
all who came meanwhile: no coordinated omission (Gil Tene, "How NOT to Measure Latency", 2013).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.serving.batching import Batching
from benchmarks.serving.clock import Clock


@dataclass(frozen=True)
class Served:
    """What became of the requests of one run.

    `latencies` (n,) are the seconds from intended arrival to answer of those answered, in the order
    of arrival.  `failed` requests raised, `unanswered` ones had come when an overloaded server was
    given up (`ended_early`); those that were not yet due then count nowhere.  `waited_s` sums the
    seconds that all of them stood in the queue, `drain_s` is how long the server worked on after the
    last arrival, `span_s` the whole run.
    """

    latencies: np.ndarray
    failed: int
    unanswered: int
    launches: int
    waited_s: float
    drain_s: float
    span_s: float
    ended_early: bool

    @property
    def offered(self) -> int:
        """Requests that came."""
        return self.latencies.size + self.failed + self.unanswered

    @property
    def qps(self) -> float:
        """Answers per second."""
        return self.latencies.size / self.span_s

    @property
    def depth(self) -> float:
        """Requests in the queue, averaged over time (Little: the sum of the waits over the span)."""
        return self.waited_s / self.span_s

    @property
    def batch(self) -> float:
        """Requests run at once, on average."""
        return (self.latencies.size + self.failed) / self.launches

    @property
    def error_rate(self) -> float:
        """The share of the requests that came and got no answer."""
        return (self.failed + self.unanswered) / self.offered


@dataclass
class _Tally:
    """The launches so far: oldest request, how many, when begun, when ended; and the errors."""

    heads: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    begun: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    good: list[bool] = field(default_factory=list)
    error: Exception | None = None


def serve(
    arrivals: np.ndarray,
    run: Callable[[int], None],
    *,
    batching: Batching,
    clock: Clock,
    patience_s: float = math.inf,
) -> Served:
    """Serve requests that arrive at `arrivals` (n,), ascending seconds from now.

    `run(count)` answers `count` requests and returns when their answers are there; what it raises
    makes those requests fail.  When the oldest request has waited longer than `patience_s` the queue
    grows without bound, and the run ends there.

    Raises:
        Exception: not one request was answered; the last error that `run` raised.
    """
    due: list[float] = arrivals.tolist()
    tally = _Tally()
    head, end, ended_early = 0, 0.0, False
    began = clock.now()
    while head < len(due):
        clock.sleep_until(began + batching.launch_at(due, head))
        begun = clock.now() - began
        if begun - due[head] > patience_s:
            end, ended_early = begun, True
            break
        taken = max(1, min(bisect_right(due, begun, head) - head, batching.most))
        tally.good.append(_is_answered(run, taken, tally))
        end = clock.now() - began
        tally.heads.append(head)
        tally.taken.append(taken)
        tally.begun.append(begun)
        tally.ended.append(end)
        head += taken
    return _served(arrivals, tally, end, ended_early=ended_early)


def _is_answered(run: Callable[[int], None], taken: int, tally: _Tally) -> bool:
    try:
        run(taken)
    except Exception as error:  # a server answers the others, whatever one request raised
        tally.error = error
        return False
    return True


def _served(arrivals: np.ndarray, tally: _Tally, end: float, *, ended_early: bool) -> Served:
    if not any(tally.good) and tally.error is not None:
        raise tally.error
    taken = np.asarray(tally.taken)
    came = arrivals[: int(taken.sum())]
    begun, ended = (np.repeat(np.asarray(moments), taken) for moments in (tally.begun, tally.ended))
    answered = np.repeat(np.asarray(tally.good, dtype=bool), taken)
    waiting = arrivals[came.size : int(np.searchsorted(arrivals, end, side="right"))]
    return Served(
        latencies=(ended - came)[answered],
        failed=int((~answered).sum()),
        unanswered=waiting.size,
        launches=taken.size,
        waited_s=float((begun - came).sum() + (end - waiting).sum()),
        drain_s=max(0.0, end - float(arrivals[-1])),
        span_s=end,
        ended_early=ended_early,
    )
