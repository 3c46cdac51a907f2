"""Suite `server`: requests that arrive at random (Poisson) and wait for nobody, one server.

A request brings its inputs in host memory and has its outputs there when it is answered: the copies
are in.  Its latency counts from the moment it was meant to arrive (`serving/queue.py` says how that
moment stays exact).  `max_batch` lets the server run up to that many requests together; the sizes it
pads them to are made ready ahead, one loaded runner each, because binding is slow.

What is measured:
- with `qps`: mean and p99 at that rate, the error rate, the queue;
- with `p99_bound_ms`: the highest rate whose p99 stays below, by search;
- with neither both, at a rate and a bound chosen from what one request takes and rounded to steps of
  1, 2 and 5: the largest step up to 70 % of the capacity, the smallest from 10 times one request.  Each
  is reported under the case that names it, so that a build whose capacity crosses a step begins
  another series instead of looking better or worse.  Name your own to be sure of one series.

A search takes some fifteen runs of a thousand requests or more; when those take longer than the
duration, of as many as fit in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from benchmarks.collector import collector_paused
from benchmarks.errors import CannotRun
from benchmarks.models.arrays import arrays_batched
from benchmarks.runners.base import Runner
from benchmarks.runners.table import runner_open
from benchmarks.serving.arrivals import poisson_arrivals
from benchmarks.serving.batching import Batching, batch_sizes, size_for
from benchmarks.serving.clock import Clock, RealClock
from benchmarks.serving.estimates import blocks_interval, step_down, step_up
from benchmarks.serving.queue import Served, serve
from benchmarks.serving.search import CLIP, highest_rate
from benchmarks.suites.base import Bench, Findings, runner_of
from benchmarks.suites.capturing import capture_try
from benchmarks.timing import calls_time, warm_up

LEVEL = 0.99
ENOUGH = 1000  # requests: ten of them are slower than the p99
FEWEST = 20
LONGEST_S = 60.0  # that the fewest requests may take, however short the duration
LOAD = 0.7
BOUND_TIMES = 10.0
PROBE_SHARE = 0.1  # of the duration, for what one launch of each size takes
PATIENCE_SHARE = 0.1  # of the time in which all arrive: a longer wait is a queue without bound
PATIENCE_LAUNCHES = 50
BEYOND = 1.5  # times the measured capacity: no search goes higher
SEARCH_PASSES = 8
_SEED = 0


@dataclass(frozen=True)
class Server:
    """What answers: `requests[size]` runs `size` requests together, in `seconds[size]`."""

    requests: dict[int, Callable[[], None]]
    seconds: dict[int, float]
    batching: Batching
    clock: Clock

    def run(self, count: int) -> None:
        """Answer `count` requests, padded to the next size that is ready."""
        self.requests[size_for(count, tuple(self.requests))]()

    @property
    def single_s(self) -> float:
        """Seconds of one request by itself, its allowed delay included."""
        return self.seconds[1] + (self.batching.delay_s if self.batching.most > 1 else 0.0)

    @property
    def capacity(self) -> float:
        """Requests per second of a server that never waits, at its best size."""
        return max(size / seconds for size, seconds in self.seconds.items())

    def serve(self, qps: float, count: int, seed: int) -> Served:
        """One run of `count` requests at `qps`."""
        patience_s = max(
            PATIENCE_SHARE * count / qps,
            PATIENCE_LAUNCHES * max(self.seconds.values()) + self.batching.delay_s,
        )
        arrivals = poisson_arrivals(qps, count, seed)
        return serve(arrivals, self.run, batching=self.batching, clock=self.clock, patience_s=patience_s)


def server_measure(bench: Bench) -> Findings:
    """Latency at a rate, and the highest rate within a bound on the p99."""
    findings = Findings(bench.case)
    qps, bound_ms = bench.case.option("qps"), bench.case.option("p99_bound_ms")
    with _server_open(bench, findings) as server, collector_paused():
        if qps is None and bound_ms is None:
            qps, bound_ms = step_down(LOAD * server.capacity), step_up(BOUND_TIMES * server.single_s * 1e3)
            rate_measure(bench, server, findings.at(qps=qps), qps)
            search_measure(bench, server, findings.at(p99_bound_ms=bound_ms), bound_ms / 1e3)
            return findings
        if qps is not None:
            rate_measure(bench, server, findings, qps)
        if bound_ms is not None:
            search_measure(bench, server, findings, bound_ms / 1e3)
    if not findings.measurements:
        raise CannotRun(findings.remarks[-1].sentence)
    return findings


@contextmanager
def _server_open(bench: Bench, findings: Findings) -> Iterator[Server]:
    """A runner for each size, bound, captured where that works, and timed."""
    batching = Batching(
        most=bench.case.option("max_batch", 1), delay_s=bench.case.option("max_delay_ms", 0.0) / 1e3
    )
    requests: dict[int, Callable[[], None]] = {}
    with ExitStack() as stack:
        for size in batch_sizes(batching.most):
            if size == 1:
                runner = runner_of(bench)
            else:
                runner = stack.enter_context(runner_open(bench.case.runner, bench.assets))
                runner.bind(size * bench.case.batch)
            capture_try(runner, findings)
            requests[size] = _request(bench, runner, size)
        seconds = {size: _seconds(request, bench.case.duration_s) for size, request in requests.items()}
        yield Server(requests, seconds, batching, RealClock())


def _request(bench: Bench, runner: Runner, size: int) -> Callable[[], None]:
    """One launch of `size` requests: inputs in, inference, outputs out."""
    # a bare engine brings no example: then what is bound is run as it is
    arrays = arrays_batched(bench.assets.example, size * bench.case.batch) if bench.assets.example else ()

    def request() -> None:
        if arrays:
            runner.feed(arrays)
        runner.submit()
        runner.wait()
        runner.outputs()

    return request


def _seconds(request: Callable[[], None], duration_s: float) -> float:
    warm_up(request, duration_s * PROBE_SHARE)
    return float(np.median(calls_time(request, duration_s * PROBE_SHARE, fewest=5)))


def rate_measure(bench: Bench, server: Server, findings: Findings, qps: float) -> None:
    """Latency at `qps` requests per second.

    Raises:
        CannotRun: so few come that even the fewest would take minutes.
    """
    duration_s = bench.case.duration_s
    if FEWEST / qps > max(LONGEST_S, duration_s):
        raise CannotRun(
            f"at {qps:g} requests per second {duration_s:g} s bring too few; measure for {FEWEST / qps:.0f} s"
        )
    count = max(FEWEST, round(qps * duration_s))
    served = server.serve(qps, count, _SEED)
    bench.gauge.read()
    latencies = served.latencies
    findings.add("server_error_rate", served.error_rate)
    findings.add("server_qps", served.qps)
    findings.add("server_queue_depth", served.depth)
    findings.add("server_batch", served.batch)
    findings.add("server_latency_mean", blocks_interval(latencies, np.mean), latencies)
    findings.add("server_latency_p99", blocks_interval(latencies, _p99), latencies)
    if _is_overloaded(served, server, count / qps):
        findings.remark(
            "overloaded",
            f"the queue grew without bound at {qps:g} requests per second"
            + (f", and the run was ended after {served.span_s:.2g} s" if served.ended_early else "")
            + f": launched back to back the server does about {server.capacity:.3g}; this latency says only "
            "how long it was measured, so ask for fewer requests, or stop other work on the machine",
            unstable=True,
        )
    elif latencies.size < ENOUGH:
        findings.remark(
            "few-samples",
            f"only {latencies.size} requests were answered: fewer than ten of them are slower than the p99, "
            f"which is little more than luck; measure for {ENOUGH / qps:.3g} s or longer",
        )


def _p99(latencies: np.ndarray) -> float:
    return float(np.quantile(latencies, LEVEL))


def _is_overloaded(served: Served, server: Server, arriving_s: float) -> bool:
    """Given up, or as good as: when the last request came the server had far too much left to do."""
    left = max(PATIENCE_SHARE * arriving_s, PATIENCE_LAUNCHES * max(server.seconds.values())) / 2
    return served.ended_early or served.drain_s > left


def search_measure(bench: Bench, server: Server, findings: Findings, bound_s: float) -> None:
    """The highest rate whose p99 is within `bound_s` seconds.

    Each repeat has its own arrivals, the same at every rate and in every build: their luck (some 3 % of
    the rate with 1,200 requests) cancels between builds and is not in the interval.  A run in which
    the queue grows without bound misses the bound however short it is.
    """
    duration_s, capacity = bench.case.duration_s, server.capacity
    wanted = max(1.2 * ENOUGH, capacity * max(duration_s / SEARCH_PASSES, BOUND_TIMES * bound_s))

    def excess(rate: float, repeat: int) -> float:
        count = max(FEWEST, round(min(wanted, rate * duration_s)))
        served = server.serve(rate, count, _SEED + 1 + repeat)
        bench.gauge.read()
        if _is_overloaded(served, server, count / rate) or served.error_rate > 1 - LEVEL:
            return CLIP
        return math.log(_p99(served.latencies) / bound_s)

    met = server.single_s < bound_s
    found = highest_rate(excess, first=capacity / 2, most=capacity * BEYOND) if met else None
    if found is None:
        findings.remark(
            "bound-missed",
            f"at no rate is the p99 within {bound_s * 1e3:g} ms: one request by itself takes "
            f"{server.single_s * 1e3:.3g} ms; allow a larger p99_bound_ms, or stop other work on the machine",
        )
        return
    findings.add("server_qps_highest", found.rate)
    at_answer = round(min(wanted, found.rate.value * duration_s))
    if at_answer < ENOUGH:
        findings.remark(
            "few-samples",
            f"the runs of the search near its answer had only {at_answer} requests each, too few for a p99; "
            f"measure for {ENOUGH / found.rate.value:.3g} s or longer",
        )
    if found.capped:
        findings.remark(
            "bound-loose",
            f"even {found.rate.value:.3g} requests per second, {BEYOND:g} times what launches back to back "
            "gave, met the bound: the capacity was underestimated; look for other work on the machine, and "
            "run this again",
            unstable=True,
        )
