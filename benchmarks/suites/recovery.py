"""Suite `recovery`: the serving process is killed under load; time to the next good answer.

The server is a process of its own that answers requests over a pipe, in a fresh interpreter each
time: what a supervisor that finds it dead has to start anew is in the time, the libraries' import
too.  It is never forked from this process, where they are already loaded: the same case would tell tenths
of a second on one day and seconds on another.

A client sends at half the rate that the server can answer and does not wait for answers; while 32 of
its requests wait, the next is refused and not sent.  Unlimited, both could end in `send`, each waiting
for the other: the client before a full queue of requests, the server with an answer larger than the
socket's buffer.  In the midst of that load the server gets SIGKILL; the supervisor sees its end, takes
its exit code, starts it again, and the time runs until an answer equals those before the kill.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from benchmarks.cases import Case
from benchmarks.errors import MeasureError
from benchmarks.runners.base import Assets
from benchmarks.runners.table import runner_open
from benchmarks.serving.child import Answer, Child, child_start
from benchmarks.stats import median_bootstrap
from benchmarks.suites.base import Bench, Findings

KILLS = 3  # at least; more while the duration lasts
MOST_KILLS = 20
LOAD = 0.5  # of what the server can answer
HIGHEST_RATE = 500.0  # requests per second: the client shares the processor with the server
LOAD_SHARE = 0.2  # of the duration, before each kill
START_MOST_S = 300.0
ANSWER_MOST_S = 60.0
WARM_REQUESTS = 10
WRONG_MOST = 100
WAITING_MOST = 32  # requests without an answer: so many fit into the socket's buffer
TOLERANCE = 1e-2  # of the largest value: another process may choose other kernels

Outputs = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class _Recovery:
    """One kill: seconds to the first good answer; requests lost in flight, refused, answered wrongly.

    `crowded` of the refused came before the kill, while too many waited for an answer.
    """

    seconds: float
    lost: int
    refused: int
    crowded: int
    wrong: int


@dataclass
class _Client:
    """Asks one server; `waiting` requests have no answer yet, `refused` were not sent for that."""

    server: Child
    waiting: int = 0
    refused: int = 0

    def ask(self) -> None:
        """Send a request, or have it refused."""
        if self.waiting >= WAITING_MOST:
            self.refused += 1
            return
        self.server.send(None)
        self.waiting += 1

    def take(self, until: float) -> None:
        """Take the answers that come before a moment, those that are there in any case."""
        while self.waiting and self.server.pipe.poll(max(0.0, until - time.perf_counter())):
            self.server.receive(ANSWER_MOST_S)
            self.waiting -= 1
        time.sleep(max(0.0, until - time.perf_counter()))


@dataclass
class _Supervisor:
    """Keeps one server running.  Ends what it started and nothing else."""

    case: Case
    assets: Assets
    child: Child | None = None

    def start(self) -> Child:
        """A new server, which first has to load."""
        self.child = child_start(server_open, self.case, self.assets)
        return self.child

    def stop(self) -> None:
        """End the server, if there is one, and take its exit code."""
        if self.child is not None:
            self.child.kill()
            self.child.pipe.close()
            self.child = None


def recovery_measure(bench: Bench) -> Findings:
    """Seconds from the kill to the first good answer: the median of three kills or more."""
    findings = Findings(bench.case)
    supervisor = _Supervisor(bench.case, bench.assets)
    recoveries: list[_Recovery] = []
    try:
        expected, interval_s = _serve_first(supervisor.start())
        end = time.perf_counter() + bench.case.duration_s
        while len(recoveries) < KILLS or (time.perf_counter() < end and len(recoveries) < MOST_KILLS):
            load_s = bench.case.duration_s * LOAD_SHARE
            recoveries.append(_kill_once(supervisor, expected, load_s, interval_s))
            bench.gauge.read()
    finally:
        supervisor.stop()
    seconds = np.asarray([one.seconds for one in recoveries])
    findings.add("recovery_time", median_bootstrap(seconds), seconds)
    _remarks_add(findings, recoveries, interval_s)
    return findings


@contextmanager
def server_open(case: Case, assets: Assets) -> Iterator[Answer]:
    """In the child: load, then answer each request with the outputs."""
    with runner_open(case.runner, assets) as runner:
        runner.bind(case.batch)

        def answer(_request: object) -> Outputs:
            runner.infer()
            return runner.outputs()

        yield answer


def _serve_first(server: Child) -> tuple[Outputs, float]:
    """What a good answer is, and seconds between requests at half of what the server can answer.

    Raises:
        MeasureError: the answer holds no value to know a good one by.
    """
    server.send(None)
    expected: Outputs = server.receive(START_MOST_S)
    if not _has_values(expected):
        raise MeasureError(
            "the model's outputs hold no values, so that a good answer after a kill cannot be told from a "
            "bad one; let forward return a tensor, or a tuple of tensors, that is not empty"
        )
    begun = time.perf_counter()
    for _ in range(WARM_REQUESTS):
        server.send(None)
        server.receive(ANSWER_MOST_S)
    each_s = (time.perf_counter() - begun) / WARM_REQUESTS
    return expected, max(each_s / LOAD, 1 / HIGHEST_RATE)


def load_send(server: Child, seconds: float, interval_s: float) -> tuple[int, int]:
    """Requests every `interval_s` for some seconds, when they are due; how many still wait, were refused.

    Raises:
        MeasureError: the server ended, or hangs.
    """
    client, due = _Client(server), time.perf_counter()
    end = due + seconds
    while due < end:
        client.ask()
        due += interval_s
        client.take(due)
    return client.waiting, client.refused


def _kill_once(supervisor: _Supervisor, expected: Outputs, load_s: float, interval_s: float) -> _Recovery:
    """Kill the server while it has requests, start it again, and ask until the answer is right."""
    server = supervisor.child or supervisor.start()
    waiting, crowded = load_send(server, load_s, interval_s)
    server.send(None)  # whatever it answered so far, it dies with a request in its hands
    killed = time.perf_counter()
    supervisor.stop()
    server = supervisor.start()
    absent = wrong = 0
    server.send(None)
    while not server.pipe.poll(interval_s):  # each interval a client comes and is turned away
        absent += 1
        if absent * interval_s > START_MOST_S:
            raise MeasureError(
                f"the server that was started after a kill did not answer in {START_MOST_S:.0f} s"
            )
    while not is_same(expected, server.receive(ANSWER_MOST_S)):
        wrong += 1
        if wrong >= WRONG_MOST:
            raise MeasureError(
                f"after a kill the server gave {wrong} answers that differ from those before; "
                "the model's outputs must depend on its inputs alone"
            )
        server.send(None)
    return _Recovery(time.perf_counter() - killed, waiting + 1, absent + crowded, crowded, wrong)


def is_same(expected: Outputs, found: Outputs) -> bool:
    """Whether the outputs agree: integers exactly, others to 1 % of the largest value expected.

    Outputs without a value agree with nothing.
    """
    if len(expected) != len(found) or not _has_values(expected):
        return False
    return all(_is_close(one, other) for one, other in zip(expected, found, strict=True))


def _has_values(outputs: Outputs) -> bool:
    return any(output.size for output in outputs)


def _is_close(expected: np.ndarray, found: np.ndarray) -> bool:
    if expected.shape != found.shape:
        return False
    if expected.dtype.kind != "f":
        return bool(np.array_equal(expected, found))
    largest = float(np.abs(expected).max(initial=0.0))
    return bool(np.allclose(expected, found, rtol=0.0, atol=TOLERANCE * largest, equal_nan=True))


def _remarks_add(findings: Findings, recoveries: list[_Recovery], interval_s: float) -> None:
    lost = sum(one.lost for one in recoveries)
    refused = sum(one.refused for one in recoveries)
    findings.remark(
        "requests-failed",
        f"in {len(recoveries)} kills {lost} requests were lost with the server and {refused} were refused, "
        f"at {1 / interval_s:.3g} per second; a second server, or a queue that asks again, would save them",
    )
    crowded = sum(one.crowded for one in recoveries)
    if crowded:
        findings.remark(
            "server-slowed",
            f"{crowded} of the refused came before the kills, while {WAITING_MOST} requests waited already: "
            f"under load the server fell below {1 / interval_s:.3g} requests per second, half of what it "
            "answered at first; look for what slows it (heat, other work, memory that grows)",
        )
    wrong = sum(one.wrong for one in recoveries)
    if wrong:
        findings.remark(
            "wrong-answers",
            f"{wrong} answers after a kill differed from those before by more than {TOLERANCE:.0%}; "
            "look at what the first inferences of a fresh process compute",
            unstable=True,
        )
