"""Suite `generation`: prompt in, tokens out, with the cache of keys and values and without.

Times are the host's, from the prompt handed over to the token read back: what a caller waits.  Where
the steps run as CUDA graphs, the GPU's own time per token is told beside them.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.cases import Case
from benchmarks.collector import collector_paused
from benchmarks.errors import CannotCapture, CannotRun, MissingLibrary
from benchmarks.metrics import format_seconds
from benchmarks.models.prompts import PrefixStore, prefix_length, prompt_make, trace_make
from benchmarks.stats import percentile
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.generations import (
    FEWEST_GENERATIONS,
    Clock,
    Generations,
    generations_repeat,
    generations_report,
)

DEFAULT_TOKENS = {"cuda": (1024, 128), "cpu": (32, 16)}  # of the prompt, of the answer
DEFAULT_WITHOUT_CACHE = {"cuda": 32, "cpu": 8}  # of the answer: each token computes the whole sequence
CACHED_SHARE, TRACE_SHARE, WHOLE_SHARE = 0.5, 0.2, 0.3  # of the duration
UNLIMITED = 2**31  # positions, where a model does not tell
REQUESTS = 32  # of the trace of prompts that begin alike
FEWEST_REQUESTS = 8
STORE_PLACES = 4
GPU_ROUNDS = 5


@dataclass(frozen=True)
class Plan:
    """How many tokens go in and come out: what was asked for and the model's positions decide, never the
    time, or equal cases would be different work.

    `cut` names the tokens, as options, where the positions left fewer than usual.
    """

    tokens_in: int
    tokens_out: int
    cut: dict[str, int]


def generation_measure(bench: Bench) -> Findings:
    """Times and rates of greedy generation at the case's batch; each of both ways at its own point.

    Raises:
        CannotRun: the model is no decoder with a cache, or the runner is not torch.
    """
    case, asked = bench.case, bench.case.option("cache")
    findings = Findings(case)
    plans: list[Plan] = []

    def capacity(positions: int | None) -> int:
        plans.extend(_plan(case, bench.assets.device, positions, cache=cache) for cache in (True, False))
        return plans[0].tokens_in + plans[0].tokens_out

    opened = _decoding(case).decoder_open(bench.assets, batch=case.batch, capacity=capacity)
    with opened as decoder, collector_paused():
        cached, whole = plans
        if asked is not False:
            scale = 1.0 if asked is None else 1 / (CACHED_SHARE + TRACE_SHARE)
            point = findings.at(cache=True, **cached.cut)
            _cached_measure(bench, decoder, cached, point, case.duration_s * scale)
        if asked is not True:
            scale = 1.0 if asked is None else 1 / WHOLE_SHARE
            point = findings.at(cache=False, **whole.cut)
            _whole_measure(bench, decoder, whole, point, case.duration_s * scale)
    return findings


def _decoding(case: Case) -> Any:
    if case.runner != "torch":
        raise CannotRun(
            f"generation runs decoders in torch, whose models keep a cache between tokens; {case.runner} "
            "loads a graph without one; use the runner torch"
        )
    try:
        return importlib.import_module("benchmarks.models.decoding")  # torch, and only here
    except ModuleNotFoundError as error:
        raise MissingLibrary(
            f"generation needs {error.name}; pip install 'perfsite[cpu]' brings it"
        ) from error


def _plan(case: Case, device: str, positions: int | None, *, cache: bool) -> Plan:
    """The case's tokens, or the device's usual ones as far as the model's positions go."""
    usual_in, usual_out = DEFAULT_TOKENS[device]
    limit = positions or UNLIMITED
    tokens_out = case.option("tokens_out") or min(usual_out, max(1, limit // 4))
    tokens_in = case.option("tokens_in") or max(1, min(usual_in, limit - tokens_out))
    if tokens_in + tokens_out > limit:
        raise CannotRun(
            f"{tokens_in} tokens in and {tokens_out} out are more than the {limit} positions that "
            f"{case.model} has; ask for fewer with tokens_in and tokens_out"
        )
    if not cache:
        usual_out = DEFAULT_WITHOUT_CACHE[device]
        tokens_out = case.option("tokens_out") or min(usual_out, tokens_out)
    cut = {}
    if tokens_in != usual_in:
        cut["tokens_in"] = tokens_in
    if tokens_out != usual_out:
        cut["tokens_out"] = tokens_out
    return Plan(tokens_in, tokens_out, cut)


def _cached_measure(bench: Bench, decoder: Any, plan: Plan, point: Findings, duration_s: float) -> None:
    prompt = prompt_make(decoder.batch, plan.tokens_in, decoder.language.vocabulary)
    if bench.assets.device == "cuda":
        _capture_try(bench.case, decoder, plan, point)

    def generate(made: Generations) -> None:
        made.first.time(lambda: (decoder.prefill(prompt), decoder.read()))
        for _ in range(made.tokens - 1):
            made.later.time(lambda: (decoder.step(), decoder.read()))

    generate(Generations(plan.tokens_out))  # warm
    decoder.peak_reset()
    made = generations_repeat(generate, plan.tokens_out, duration_s * CACHED_SHARE, bench.assets.threads)
    generations_report(bench, point, made, decoder.peak_bytes())
    if decoder.stream is not None and plan.tokens_out > 1:
        _gpu_report(decoder, prompt, plan, point)
    if plan.tokens_in > 1:
        _trace_measure(decoder, plan, point, duration_s * TRACE_SHARE)


def _capture_try(case: Case, decoder: Any, plan: Plan, point: Findings) -> None:
    if not case.option("graph", default=True):
        return
    kept = (prefix_length(plan.tokens_in),) if plan.tokens_in > 1 else ()
    try:
        decoder.capture(plan.tokens_in, kept)
    except CannotCapture as error:
        point.remark(
            "no-graph",
            f"{error}; without CUDA graphs the GPU waits for the host between kernels, and these times are "
            "mostly the host's: let the decoder run without waiting for the GPU",
        )


def _whole_measure(bench: Bench, decoder: Any, plan: Plan, point: Findings, duration_s: float) -> None:
    """Every token computes the whole sequence again; left out where its tokens do not fit into the time.

    Raises:
        CannotRun: they do not, and nothing else was asked for.
    """
    decoder.cache_drop()
    prompt = prompt_make(decoder.batch, plan.tokens_in, decoder.language.vocabulary)
    probe = Clock()
    for _ in range(3):  # the first is the warm-up
        probe.time(partial(_whole, decoder, prompt))
    each = min(probe.seconds[1:]) * plan.tokens_out
    if each * FEWEST_GENERATIONS > bench.case.duration_s:
        reason = (
            f"without the cache each token computes the whole sequence again: {plan.tokens_out} tokens take "
            f"some {format_seconds(each)}, and {FEWEST_GENERATIONS} such generations do not fit into the "
            "duration; measure longer, or ask for fewer with tokens_out"
        )
        if bench.case.option("cache") is False:
            raise CannotRun(reason)
        point.remark("time-limit", reason)
        return

    def generate(made: Generations) -> None:
        sequence = prompt
        for position in range(made.tokens):
            clock = made.later if position else made.first
            clock.time(partial(_whole, decoder, sequence))
            if position < made.tokens - 1:
                sequence = np.concatenate([sequence, decoder.read()], axis=1)

    decoder.peak_reset()
    made = generations_repeat(generate, plan.tokens_out, duration_s * WHOLE_SHARE, bench.assets.threads)
    generations_report(bench, point, made, decoder.peak_bytes())


def _whole(decoder: Any, sequence: np.ndarray) -> None:
    decoder.whole(sequence)
    decoder.read()


def _gpu_report(decoder: Any, prompt: np.ndarray, plan: Plan, point: Findings) -> None:
    """The GPU's time per later token, the mean over each generation, nothing read in between."""
    events = importlib.import_module("benchmarks.gpu.events")
    seconds: list[float] = []
    for _ in range(GPU_ROUNDS):
        decoder.prefill(prompt)
        seconds += list(
            events.launches_time(decoder.step, decoder.stream, pairs=1, per_pair=plan.tokens_out - 1)
        )
    samples = np.asarray(seconds)
    point.add("gpu_compute_time_p50", percentile(samples, 0.50), samples)


def _trace_measure(decoder: Any, plan: Plan, point: Findings, budget_s: float) -> None:
    """Requests of which half begin alike, with a store of the beginnings seen last."""
    prompts = trace_make(REQUESTS, decoder.batch, plan.tokens_in, decoder.language.vocabulary)
    length = prefix_length(plan.tokens_in)
    store, hits, served = PrefixStore(STORE_PLACES), Clock(), 0
    _prefix_warm(decoder, prompts[0], length)
    started = time.perf_counter()
    for prompt in prompts:
        if served >= FEWEST_REQUESTS and time.perf_counter() - started >= budget_s:
            point.remark(
                "fewer-requests",
                f"only {served} of the trace's {REQUESTS} requests were served in the time; "
                "measure longer for a hit rate that compares",
            )
            break
        served += 1
        kept = store.find(prompt[:, :length])
        if kept is not None:
            hits.time(partial(_hit, decoder, prompt, length, kept))
            continue
        decoder.prefill(prompt)
        decoder.read()
        store.keep(prompt[:, :length], decoder.prefix_copy(length))
    point.add("prefix_hit_rate", len(hits.seconds) / served)
    if hits.seconds:
        first, _ = hits.clean()
        point.add("prefix_first_token", percentile(first, 0.50), first)


def _hit(decoder: Any, prompt: np.ndarray, length: int, kept: Any) -> None:
    decoder.prefix_put(kept)
    decoder.prefill(prompt, length)
    decoder.read()


def _prefix_warm(decoder: Any, prompt: np.ndarray, length: int) -> None:
    decoder.prefill(prompt)
    _hit(decoder, prompt, length, decoder.prefix_copy(length))
