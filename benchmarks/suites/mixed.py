"""Suite `mixed`: this model and another share the device: who goes first, and what it costs each.

A pass is a burst: eight requests of each model, in a seeded order, all there at once, as after a
pause of the device.  The burst is the same in every build, so that its times can be compared; bursts of one
model alone, in the same minutes, tell what sharing costs.  A request's latency counts from the burst.

- `fifo`: in the order of the burst.
- `priority`: the text model's requests first; of two alike, this model's.

On the processor one thread runs one request after the other.  On a GPU each model has its own
stream and times are events on it.  With `fifo` requests are submitted in order and the GPU overlaps
the two streams as it can; with `priority` the other stream waits, on the GPU, until the first is done:
the runners' streams have no priorities of CUDA's own.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from benchmarks.cases import ModelSource
from benchmarks.collector import collector_paused
from benchmarks.errors import CannotRun
from benchmarks.models.catalogue import CATALOGUE
from benchmarks.runners.base import Assets, Runner
from benchmarks.runners.table import runner_open
from benchmarks.stats import median_bootstrap
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.capturing import capture_try

POLICIES = ("fifo", "priority")
EACH = 8  # requests of each model in a burst
FEWEST_ROUNDS = 5
MOST_ROUNDS = 200
THIS, OTHER = 0, 1
TEXT_MODELS = ("tiny-bert", "bert-base")  # for a tiny companion and for one of full size
IMAGE_MODELS = ("tiny-cnn", "resnet50")
_SEED = 0

Burst = Callable[[Sequence[int], bool], np.ndarray]
"""Runs requests in an order, in turns where it is true; seconds from the burst to each answer (requests,)."""


@dataclass(frozen=True)
class Round:
    """Seconds from the burst to each answer: alone by model, and mixed by policy; each with its order."""

    alone: tuple[np.ndarray, np.ndarray]
    mixed: dict[str, np.ndarray]


def mixed_measure(bench: Bench) -> Findings:
    """Completion time of the burst, each model's slowdown, and what sharing adds, under each policy."""
    findings = Findings(bench.case)
    policy = bench.case.option("policy")
    other = other_choose(bench)
    assets = (bench.assets, bench.shop.variant(bench.case, source=ModelSource(kind="catalogue", ref=other)))
    orders = {name: order_make(name, assets) for name in ((policy,) if policy else POLICIES)}
    with _burst_open(bench, findings, assets) as burst:
        rounds = _rounds_measure(bench, burst, orders)
    for name, order in orders.items():
        point_add(findings if policy else findings.at(policy=name), rounds, name, np.asarray(order))
    return findings


def other_choose(bench: Bench) -> str:
    """The other model's catalogue name: the one asked for, or one of the other kind and of like size.

    A tiny one beside a tiny one, and wherever there is no GPU.

    Raises:
        CannotRun: there is no such model.
    """
    asked = bench.case.option("other")
    if asked is not None and asked not in CATALOGUE:
        raise CannotRun(f"there is no catalogue model {asked!r} to share with; known: {', '.join(CATALOGUE)}")
    if asked is not None:
        return str(asked)
    names = IMAGE_MODELS if is_text(bench.assets) else TEXT_MODELS
    is_small = bench.assets.device == "cpu" or bench.assets.source.ref.startswith("tiny-")
    return names[0 if is_small else 1]


def is_text(assets: Assets) -> bool:
    """Whether no input is an image: an array (batch, channels, height, width)."""
    return all(array.ndim != 4 for array in assets.example)


def order_make(policy: str, assets: tuple[Assets, Assets]) -> list[int]:
    """The burst as this policy runs it: `THIS` and `OTHER`, eight times each."""
    burst = np.random.default_rng(_SEED).permutation([THIS, OTHER] * EACH).tolist()
    if policy == "fifo":
        return burst
    first = OTHER if is_text(assets[OTHER]) and not is_text(assets[THIS]) else THIS
    return sorted(burst, key=lambda model: model != first)


@contextmanager
def _burst_open(bench: Bench, findings: Findings, assets: tuple[Assets, Assets]) -> Iterator[Burst]:
    """Both models loaded, bound and, on a GPU, captured."""
    with ExitStack() as stack:
        runners = [stack.enter_context(runner_open(bench.case.runner, one)) for one in assets]
        for runner in runners:
            runner.bind(bench.case.batch)
            capture_try(runner, findings)
        yield _gpu_burst(runners) if all(runner.stream for runner in runners) else _host_burst(runners)


def _host_burst(runners: Sequence[Runner]) -> Burst:
    """One request after the other, by the host's clock."""

    def burst(order: Sequence[int], _in_turn: bool) -> np.ndarray:
        begun = time.perf_counter()
        done = []
        for model in order:
            runners[model].infer()
            done.append(time.perf_counter() - begun)
        return np.asarray(done)

    return burst


def _gpu_burst(runners: Sequence[Runner]) -> Burst:
    lanes = importlib.import_module("benchmarks.gpu.lanes")  # torch: only where there is a GPU
    submits = [runner.submit for runner in runners]
    streams = [runner.stream for runner in runners]

    def burst(order: Sequence[int], in_turn: bool) -> np.ndarray:
        seconds: np.ndarray = lanes.lanes_time(order, submits, streams, in_turn=in_turn)
        return seconds

    return burst


def _rounds_measure(bench: Bench, burst: Burst, orders: dict[str, list[int]]) -> list[Round]:
    """Bursts alone and mixed in turns for the case's duration, the first round left out."""
    rounds: list[Round] = []
    with collector_paused():
        end = time.perf_counter() + bench.case.duration_s
        while len(rounds) <= FEWEST_ROUNDS or (time.perf_counter() < end and len(rounds) < MOST_ROUNDS):
            alone = (burst([THIS] * EACH, False), burst([OTHER] * EACH, False))
            mixed = {name: burst(order, name == "priority") for name, order in orders.items()}
            rounds.append(Round(alone, mixed))
            bench.gauge.read()
    return rounds[1:]


def point_add(findings: Findings, rounds: Sequence[Round], policy: str, order: np.ndarray) -> None:
    """One policy's metrics, medians over the rounds; `order` (requests,) says whose each request is."""
    completion = np.asarray([one.mixed[policy].max() for one in rounds])
    alone = np.asarray([[part.max() for part in one.alone] for one in rounds]).sum(axis=1)
    findings.add("mixed_completion_time", median_bootstrap(completion), completion)
    findings.add("mixed_overhead", median_bootstrap(completion - alone), completion - alone)
    for model, metric in ((THIS, "mixed_slowdown"), (OTHER, "mixed_slowdown_other")):
        slowdowns = np.asarray(
            [np.median(one.mixed[policy][order == model]) / np.median(one.alone[model]) for one in rounds]
        )
        findings.add(metric, median_bootstrap(slowdowns), slowdowns)
