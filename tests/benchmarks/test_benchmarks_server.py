"""The server suite: rates, bounds, batches, and what it says when the server cannot keep up.

Rates and bounds are judged on a clock of our own, where a queue is what theory says it is.
"""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotRun
from benchmarks.runners.base import Assets, Runner
from benchmarks.serving.batching import Batching
from benchmarks.session import measure
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.server import Server, rate_measure, search_measure, server_measure

CNN = ModelSource(kind="catalogue", ref="tiny-cnn")
ASSETS = Assets(CNN, Path(), "fp32", "cpu", threads=1, example=(np.zeros((1, 4), np.float32),))
SERVICE = 0.002


class Clock:
    """Time that passes only when someone waits or works."""

    def __init__(self) -> None:
        self.moment = 0.0

    def now(self) -> float:
        return self.moment

    def sleep_until(self, moment: float) -> None:
        self.moment = max(self.moment, moment)


def deterministic(
    fails_every: int = 0, sizes: dict[int, float] | None = None, delay_s: float = 0.0
) -> Server:
    """A server whose launches take exactly the seconds of their size."""
    clock, seconds, launched = Clock(), sizes or {1: SERVICE}, []

    def launch(size: int) -> None:
        clock.moment += seconds[size]
        launched.append(size)
        if fails_every and len(launched) % fails_every == 0:
            raise RuntimeError("a bad request")

    requests = {size: lambda size=size: launch(size) for size in seconds}
    return Server(requests, seconds, Batching(max(seconds), delay_s), clock)


def bench(duration_s: float, runner: Runner | None = None, **options) -> Bench:
    case = Case(model="m", runner="torch", suite="server", duration_s=duration_s, options=options)
    return Bench(case, ASSETS, runner=runner)


def rated(server: Server, qps: float, duration_s: float = 100.0):
    findings = Findings(bench(duration_s).case)
    rate_measure(bench(duration_s), server, findings, qps)
    return {one.metric: one for one in findings.measurements}, {one.code: one for one in findings.remarks}


def searched(server: Server, bound_s: float, duration_s: float = 20.0):
    findings = Findings(bench(duration_s).case)
    search_measure(bench(duration_s), server, findings, bound_s)
    return {one.metric: one for one in findings.measurements}, {one.code: one for one in findings.remarks}


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_the_latency_at_a_rate_is_that_of_the_queue(load):
    """M/D/1: the mean wait is rho S / (2 (1 - rho)); the suite's own interval holds it."""
    table, remarks = rated(deterministic(), load / SERVICE)
    theory = SERVICE + load * SERVICE / (2 * (1 - load))
    mean = table["server_latency_mean"]
    assert mean.value == pytest.approx(theory, rel=0.05)
    assert mean.ci_low < theory < mean.ci_high
    assert mean.ci_high / mean.ci_low < 1.25
    assert table["server_latency_p99"].value > 2 * SERVICE
    assert table["server_queue_depth"].value == pytest.approx((theory - SERVICE) * load / SERVICE, rel=0.15)
    assert table["server_qps"].value == pytest.approx(load / SERVICE, rel=0.02)
    assert table["server_error_rate"].value == 0.0
    assert table["server_batch"].value == 1.0
    assert not remarks


def test_few_requests_are_too_few_for_a_p99():
    table, remarks = rated(deterministic(), 200.0, duration_s=2.0)
    assert table["server_latency_p99"].n == 400
    assert "measure for 5 s" in remarks["few-samples"].sentence


def test_a_rate_that_brings_nobody_in_time_is_refused():
    table, _ = rated(deterministic(), 1.0, duration_s=1.0)
    assert table["server_latency_mean"].n == 20, "the fewest, though they take longer"
    with pytest.raises(CannotRun, match="measure for 2000 s"):
        rated(deterministic(), 0.01, duration_s=1.0)


def test_an_overloaded_server_says_so_and_ends_early():
    server = deterministic()
    table, remarks = rated(server, 1000.0, duration_s=10.0)
    assert remarks["overloaded"].unstable
    assert "about 500" in remarks["overloaded"].sentence
    assert server.clock.moment < 3, "ten seconds of arrivals were asked for"
    assert table["server_qps"].value == pytest.approx(500, rel=0.02)
    assert table["server_error_rate"].value == pytest.approx(0.5, abs=0.1)
    _, remarks = rated(deterministic(), 530.0, duration_s=100.0)  # barely too many: told by what is left
    assert "overloaded" in remarks


def test_failed_requests_are_an_error_rate():
    table, _ = rated(deterministic(fails_every=10), 100.0, duration_s=10.0)
    assert table["server_error_rate"].value == pytest.approx(0.1, abs=0.001)
    assert table["server_latency_mean"].n == 900


def test_batches_raise_the_rate_and_the_delay_fills_them():
    sizes = {1: 0.002, 2: 0.002, 4: 0.002}
    alone, _ = rated(deterministic(sizes=sizes), 1000.0, duration_s=10.0)
    delayed, _ = rated(deterministic(sizes=sizes, delay_s=0.010), 1000.0, duration_s=10.0)
    assert alone["server_qps"].value == pytest.approx(1000, rel=0.05)
    assert 2 < alone["server_batch"].value < delayed["server_batch"].value <= 4
    assert delayed["server_latency_mean"].value > alone["server_latency_mean"].value


def test_the_highest_rate_within_a_bound():
    """Of such a queue the p99 reaches ten services near 79 % load (see the search's own test)."""
    table, remarks = searched(deterministic(), 10 * SERVICE)
    highest = table["server_qps_highest"]
    assert highest.value == pytest.approx(0.79 / SERVICE, rel=0.05)
    assert highest.ci_low <= highest.value <= highest.ci_high
    assert not remarks
    again, _ = searched(deterministic(), 10 * SERVICE)
    assert again["server_qps_highest"].value == highest.value, "the same arrivals for every build"


def test_a_loose_bound_ends_at_the_capacity():
    """However long the queue may get: beyond the capacity it grows without bound."""
    table, _ = searched(deterministic(), 200 * SERVICE, duration_s=40.0)
    assert table["server_qps_highest"].value == pytest.approx(1 / SERVICE, rel=0.06)


def test_a_bound_below_one_request_cannot_be_met():
    table, remarks = searched(deterministic(), SERVICE / 2)
    assert not table
    assert "larger p99_bound_ms" in remarks["bound-missed"].sentence


class Counting(Runner):
    """Does nothing, and counts the copies."""

    name = "torch"

    def __init__(self) -> None:
        super().__init__(ASSETS)
        self.fed = self.read = self.ran = 0

    def load(self) -> None: ...

    def bind(self, batch: int) -> None: ...

    def feed(self, arrays: tuple[np.ndarray, ...]) -> None:
        assert [array.shape for array in arrays] == [(1, 4)]
        self.fed += 1

    def infer(self) -> None:
        self.ran += 1

    def outputs(self) -> tuple[np.ndarray, ...]:
        self.read += 1
        return ()

    def close(self) -> None: ...


def test_each_request_brings_its_inputs_and_takes_its_outputs():
    runner = Counting()
    findings = server_measure(bench(0.2, runner, qps=500.0))
    assert runner.fed == runner.ran == runner.read > 100
    assert {one.case.shape for one in findings.measurements} == {"b1,qps=500"}


def test_what_cannot_be_met_is_a_skip_with_its_reason():
    with pytest.raises(CannotRun, match="larger p99_bound_ms"):
        server_measure(bench(0.1, Counting(), p99_bound_ms=0.001))


def test_without_options_the_points_are_steps_named_by_their_cases():
    findings = server_measure(bench(0.1, Counting()))
    shapes = {one.metric: dict(one.case.options) for one in findings.measurements}
    assert float(f"{shapes['server_latency_mean']['qps']:e}"[0]) in (1, 2, 5)
    missed = [remark.case for remark in findings.remarks if remark.code == "bound-missed"]
    searched_case = [one.case for one in findings.measurements if one.metric == "server_qps_highest"]
    bound = dict((searched_case or missed)[0].options)["p99_bound_ms"]
    assert float(f"{bound:e}"[0]) in (1, 2, 5)


def test_a_real_model_in_batches(tmp_path):
    options = {"max_batch": 4, "max_delay_ms": 5.0, "qps": 400.0}
    cases = [
        Case(model="m", runner="onnxruntime", suite="server", duration_s=0.5, options=more)
        for more in (options, {"qps": 400.0})
    ]
    report = measure(
        CNN, model="m", precision="fp32", cases=cases, checkout=tmp_path, workdir=tmp_path / "work",
        on_progress=lambda *_: None, canary=False,
    )  # fmt: skip
    assert [outcome.status for outcome in report.outcomes] == ["done", "done"]
    together, alone = (
        {one.metric: one.value for one in report.measurements if one.case == case} for case in cases
    )
    assert alone["server_batch"] == 1.0
    # in 5 ms two others come on average, and the fourth fills the batch
    assert 1.5 < together["server_batch"] <= 4.0
    assert together["server_latency_mean"] > 0
    assert together["server_queue_depth"] > alone["server_queue_depth"] or alone["server_queue_depth"] > 1
