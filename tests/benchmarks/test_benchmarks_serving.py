"""Arrivals, the queue, batching and the searches, against queueing theory and on a clock of our own."""

import math
import time

import numpy as np
import pytest

from benchmarks.serving.arrivals import poisson_arrivals
from benchmarks.serving.batching import Batching, batch_sizes, size_for
from benchmarks.serving.clock import RealClock
from benchmarks.serving.estimates import blocks_interval, step_down, step_up
from benchmarks.serving.queue import Served, serve
from benchmarks.serving.search import REPEATS, highest_rate, knee_find

SERVICE = 0.002


class VirtualClock:
    """Time that passes only when someone waits or works."""

    def __init__(self) -> None:
        self.moment = 100.0

    def now(self) -> float:
        return self.moment

    def sleep_until(self, moment: float) -> None:
        self.moment = max(self.moment, moment)


class Deterministic:
    """A server whose every launch takes `seconds`, on a clock of its own."""

    def __init__(self, seconds: float = SERVICE, fails: tuple[int, ...] = ()) -> None:
        self.clock, self.seconds, self.fails = VirtualClock(), seconds, fails
        self.taken: list[int] = []

    def __call__(self, count: int) -> None:
        self.clock.moment += self.seconds
        self.taken.append(count)
        if len(self.taken) in self.fails:
            raise RuntimeError("this launch fails")


def virtual(arrivals, server: Deterministic, batching: Batching | None = None, **more) -> Served:
    return serve(arrivals, server, batching=batching or Batching(), clock=server.clock, **more)


class Spinning:
    """A server that works for `SERVICE` seconds of real time, and when it did."""

    def __init__(self) -> None:
        self.moments: list[tuple[float, float]] = []

    def __call__(self, _count: int) -> None:
        begun = now = time.perf_counter()
        while now < begun + SERVICE:
            now = time.perf_counter()
        self.moments.append((begun, now))


class Keeping(RealClock):
    """The real clock; `first` is its first reading, from which a run's arrivals count."""

    def __init__(self) -> None:
        self.first: float | None = None

    def now(self) -> float:
        read = super().now()
        self.first = self.first or read
        return read


def waits_by_lindley(arrivals: np.ndarray, service: float) -> np.ndarray:
    """Waits (n,) of a queue with one server, W' = max(0, W + S - gap), written as a running minimum."""
    steps = np.concatenate([[0.0], np.cumsum(service - np.diff(arrivals))])
    return steps - np.minimum.accumulate(steps)


def test_arrivals_are_poisson_and_seeded():
    arrivals = poisson_arrivals(50.0, 200_000, seed=3)
    gaps = np.diff(arrivals)
    # 1/50 each; the mean of 200,000 exponentials varies by 1/sqrt(200,000): five of those
    assert gaps.mean() == pytest.approx(1 / 50, rel=5 / math.sqrt(200_000))
    assert gaps.std() == pytest.approx(1 / 50, rel=0.02)
    counts = np.histogram(arrivals, bins=np.arange(0, arrivals[-1], 1.0))[0]
    assert counts.var() == pytest.approx(counts.mean(), rel=0.1)  # what makes it Poisson
    assert poisson_arrivals(100.0, 200_000, seed=3) == pytest.approx(arrivals / 2)
    assert not np.allclose(poisson_arrivals(50.0, 200_000, seed=4), arrivals)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_the_mean_wait_is_that_of_an_m_d_1_queue(load):
    """Pollaczek and Khinchine: W = rho S / (2 (1 - rho)) for deterministic service."""
    theory = load * SERVICE / (2 * (1 - load))
    means = []
    for seed in range(30):
        served = virtual(poisson_arrivals(load / SERVICE, 10_000, seed), Deterministic())
        assert served.latencies.size == 10_000
        means.append(served.latencies.mean() - SERVICE)
        # Little's law holds for what it reports: depth = rate x wait
        assert served.depth == pytest.approx(means[-1] * 10_000 / served.span_s)
    error = np.std(means, ddof=1) / math.sqrt(len(means))
    assert error < 0.02 * theory  # else the next line would prove nothing
    assert np.mean(means) == pytest.approx(theory, abs=4 * error)


def test_every_wait_is_lindleys():
    arrivals = poisson_arrivals(0.9 / SERVICE, 5_000, seed=1)
    served = virtual(arrivals, Deterministic())
    assert served.latencies - SERVICE == pytest.approx(waits_by_lindley(arrivals, SERVICE), abs=1e-9)
    assert served.batch == 1.0
    assert served.error_rate == 0.0


def test_a_stall_is_charged_to_all_who_came_meanwhile():
    """Closed loops omit them: ten requests a millisecond apart, the first takes ten milliseconds."""
    clock = VirtualClock()
    times = iter([0.010] + [0.0] * 9)

    def stall(_count: int) -> None:
        clock.moment += next(times)

    served = serve(np.arange(10) * 0.001, stall, batching=Batching(), clock=clock)
    assert served.latencies == pytest.approx(0.010 - np.arange(10) * 0.001, abs=1e-9)


def test_in_real_time_it_is_the_same_queue():
    """What the loop adds to the queue of these arrivals and services: far less than the mean wait.

    A request begins when it has come and the one before is done, Lindley's rule; whatever another
    process takes makes single ones late, not the median.  Theory knows the mean wait of such arrivals.
    """
    server, exact, dead = Spinning(), [], []
    for seed in range(8):
        arrivals = poisson_arrivals(0.5 / SERVICE, 150, seed)
        server.moments.clear()
        clock = Keeping()
        served = serve(arrivals, server, batching=Batching(), clock=clock)
        begun, ended = np.asarray(server.moments).T - clock.first
        dead.extend(begun - np.maximum(arrivals, np.concatenate([[0.0], ended[:-1]])))
        assert np.median(np.abs(served.latencies - (ended - arrivals))) < 0.05 * SERVICE
        exact.append(waits_by_lindley(arrivals, SERVICE).mean())
    theory = 0.5 * SERVICE / (2 * (1 - 0.5))
    assert np.mean(exact) == pytest.approx(theory, abs=4 * np.std(exact, ddof=1) / math.sqrt(8))
    assert 0 < np.median(dead) < 0.1 * theory


def test_the_real_clock_wakes_in_time():
    clock = RealClock()
    late = []
    for _ in range(50):
        moment = clock.now() + 0.003
        clock.sleep_until(moment)
        late.append(clock.now() - moment)
    assert min(late) >= 0
    assert np.quantile(late, 0.25) < 5e-5  # others may have the processor for some of them
    before = clock.now()
    clock.sleep_until(before - 1)
    assert clock.now() - before < 0.001


def test_a_free_server_takes_all_who_wait():
    server = Deterministic()
    served = virtual(np.asarray([0.0, 0.0005, 0.001, 0.0015, 0.0061]), server, Batching(most=4))
    assert server.taken == [1, 3, 1]
    assert served.batch == pytest.approx(5 / 3)
    assert served.latencies == pytest.approx([0.002, 0.0035, 0.003, 0.0025, 0.002])


def test_a_batch_waits_for_others_until_it_is_full_or_the_delay_is_over():
    server = Deterministic()
    arrivals = np.asarray([0.0, 0.001, 0.003, 0.020, 0.100])
    served = virtual(arrivals, server, Batching(most=3, delay_s=0.010))
    assert server.taken == [3, 1, 1]
    assert served.latencies == pytest.approx([0.005, 0.004, 0.002, 0.012, 0.012])


def test_batching_carries_a_rate_that_single_requests_cannot():
    arrivals = poisson_arrivals(2 / SERVICE, 4_000, seed=0)
    alone = virtual(arrivals, Deterministic(), patience_s=0.5)
    together = virtual(arrivals, Deterministic(), Batching(most=8), patience_s=0.5)
    assert alone.ended_early
    assert not together.ended_early
    assert together.qps == pytest.approx(2 / SERVICE, rel=0.1)
    assert 2 < together.batch < 8


def test_an_overloaded_server_ends_early_and_counts_who_waited():
    arrivals = poisson_arrivals(2 / SERVICE, 10_000, seed=0)
    served = virtual(arrivals, Deterministic(), patience_s=0.2)
    assert served.ended_early
    # at twice the capacity the backlog grows by half a second per second
    assert served.span_s == pytest.approx(0.4, rel=0.25)
    assert served.unanswered == pytest.approx(served.latencies.size, rel=0.25)
    assert served.offered < 10_000
    assert served.error_rate == pytest.approx(0.5, abs=0.1)


def test_failed_requests_are_counted_and_the_others_answered():
    served = virtual(np.arange(10) * 0.01, Deterministic(fails=(3, 7)))
    assert (served.failed, served.latencies.size) == (2, 8)
    assert served.error_rate == pytest.approx(0.2)
    with pytest.raises(RuntimeError, match="this launch fails"):
        virtual(np.arange(3) * 0.01, Deterministic(fails=(1, 2, 3)))


def test_sizes_made_ready_hold_every_count():
    assert batch_sizes(1) == (1,)
    assert batch_sizes(8) == (1, 2, 4, 8)
    assert batch_sizes(12) == (1, 2, 4, 8, 12)
    assert [size_for(count, (1, 2, 4, 8, 12)) for count in (1, 2, 3, 8, 9, 12)] == [1, 2, 4, 8, 12, 12]


def test_steps_of_one_two_five():
    assert [step_up(value) for value in (1.0, 1.1, 0.021, 5.1, 20.0)] == [1.0, 2.0, 0.05, 10.0, 20.0]
    assert [step_down(value) for value in (1.0, 1.9, 0.021, 5.1, 0.99)] == [1.0, 1.0, 0.02, 5.0, 0.5]


def test_the_bounds_of_a_queues_mean_are_wider_than_independence_says():
    """And right: 95 % of them hold the true mean wait, 40 runs, so at least 32 do (binomial)."""
    load, held, ratio = 0.7, 0, []
    truth = SERVICE + load * SERVICE / (2 * (1 - load))
    for seed in range(40):
        latencies = virtual(poisson_arrivals(load / SERVICE, 8_000, seed), Deterministic()).latencies
        interval = blocks_interval(latencies, np.mean)
        held += interval.low <= truth <= interval.high
        ratio.append((interval.high - interval.low) / (4 * latencies.std() / math.sqrt(latencies.size)))
    assert held >= 32
    assert np.median(ratio) > 1.5
    assert blocks_interval(np.ones(10), np.mean).low is None


def test_the_search_finds_a_crossing_and_repeats_near_it():
    runs: dict[float, list[int]] = {}

    def excess(rate: float, repeat: int) -> float:
        runs.setdefault(rate, []).append(repeat)
        return 2 * math.log(rate / 333.0) + 0.02 * (repeat - 1)

    found = highest_rate(excess, first=1000.0, most=1e6)
    assert found.rate.value == pytest.approx(333.0, rel=0.001)
    assert found.rate.low < 333.0 < found.rate.high
    assert found.rate.high / found.rate.low < 1.1
    assert not found.capped
    assert found.runs == sum(map(len, runs.values()))
    near = [repeats for rate, repeats in runs.items() if abs(math.log(rate / 333.0)) < 0.3]
    assert len(near) >= 2
    assert all(sorted(repeats) == list(range(REPEATS)) for repeats in near)


def test_one_disturbed_run_does_not_turn_the_search():
    """The first run at each rate near the answer is four times too slow; the other two know better."""

    def excess(rate: float, repeat: int) -> float:
        disturbed = repeat == 0 and 200 < rate < 300
        return 2 * math.log(rate / 333.0) + (0.6 if disturbed else 0.0)

    assert highest_rate(excess, first=250.0, most=1e6).rate.value == pytest.approx(333.0, rel=0.01)


def test_the_searchs_interval_holds_the_truth():
    """Under noise of 20 % in what each run tells; 95 % promised, 40 searches, so at least 32 (binomial)."""
    held, values, widths = 0, [], []
    for seed in range(40):
        noise = np.random.default_rng(seed)
        rate = highest_rate(
            lambda rate, repeat, noise=noise: 3 * math.log(rate / 333.0) + noise.normal(0, 0.2),
            first=500.0,
            most=1e5,
        ).rate
        held += rate.low <= 333.0 <= rate.high
        values.append(rate.value)
        widths.append(rate.high / rate.low)
    assert held >= 32
    assert np.mean(values) == pytest.approx(333.0, rel=4 * 0.03 / math.sqrt(40))
    assert np.median(widths) < 1.2


def test_a_bound_that_always_or_never_holds():
    always = highest_rate(lambda rate, repeat: -1.0, first=100.0, most=700.0)
    assert always.capped
    assert always.rate.value == 700.0
    assert highest_rate(lambda rate, repeat: 1.0, first=100.0, most=700.0) is None


def test_the_highest_rate_of_an_m_d_1_queue():
    """Its true value is read off 400,000 waits a rate, by Lindley's recursion."""
    bound = 10 * SERVICE
    rates = np.linspace(0.6, 0.95, 20) / SERVICE
    tails = [
        np.quantile(waits_by_lindley(poisson_arrivals(rate, 400_000, 99), SERVICE), 0.99) for rate in rates
    ]
    truth = float(np.interp(bound, np.asarray(tails) + SERVICE, rates))

    found = []
    for trial in range(12):

        def excess(rate: float, repeat: int, trial: int = trial) -> float:
            served = virtual(poisson_arrivals(rate, 2_000, 1000 * trial + repeat), Deterministic())
            return math.log(np.quantile(served.latencies, 0.99) / bound)

        found.append(highest_rate(excess, first=0.5 / SERVICE, most=2 / SERVICE).rate.value)
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert error < 0.02 * truth
    # a run begins with an empty queue, which is worth a little: 2 % besides the error of twelve searches
    assert np.mean(found) == pytest.approx(truth, abs=4 * error + 0.02 * truth)


def test_the_knee_is_the_smallest_batch_near_the_best():
    batches = (1, 2, 4, 8)
    passes = np.asarray([[100, 180, 240, 246], [101, 182, 243, 247], [99, 181, 239, 245], [100, 300, 1, 246]])
    knee, best = knee_find(passes, batches)
    assert knee.value == 4
    assert best.value == pytest.approx(246)
    assert knee.low <= 4 <= knee.high
    unsure = np.asarray([[100, 235, 240], [100, 220, 240], [100, 229, 240], [100, 226, 240], [100, 233, 240]])
    knee, best = knee_find(unsure, batches[:3])
    assert (knee.low, knee.high) == (2, 4)
    assert best.value == 240
