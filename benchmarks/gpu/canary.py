"""The GPU's canary: a captured chain of matrix products."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.errors import CannotRun
from benchmarks.gpu.events import launches_time
from benchmarks.gpu.graphs import graph_capture
from benchmarks.gpu.streams import stream_return, stream_take

WIDTH = 512  # larger ones draw so much power that the clock gives way, and the canary with it
PRODUCTS = 50
PER_PAIR = 20
_SEED = 0
_WARM_S = (0.2, 1.0)  # an idle GPU's clock needs this long to rise: at least, at most
_STEADY = 0.002  # two blocks in a row agree to this


def canary_samples(repeats: int) -> list[float]:
    """Seconds of the chain on the GPU, `repeats` times.

    Raises:
        CannotRun: torch cannot use the GPU.
    """
    if not torch.cuda.is_available():
        raise CannotRun(f"torch {torch.__version__} cannot use the GPU")
    stream = stream_take()
    try:
        replay = graph_capture(_chain(), stream).replay
        _warm_up(stream, replay)
        return list(launches_time(replay, stream, pairs=repeats, per_pair=PER_PAIR))
    finally:
        stream_return(stream)


def _warm_up(stream: Any, replay: Any) -> None:
    """Replay until the clock has risen: a GPU that idled would be told slower before a job than after."""
    least, most = (time.perf_counter() + seconds for seconds in _WARM_S)
    before = 0.0
    while True:
        now = float(np.median(launches_time(replay, stream, pairs=10, per_pair=PER_PAIR)))
        steady = abs(now - before) <= _STEADY * now
        if time.perf_counter() >= (least if steady else most):
            return
        before = now


def _chain() -> Callable[[], None]:
    generator = torch.Generator().manual_seed(_SEED)
    matrix = (torch.randn(WIDTH, WIDTH, generator=generator) / WIDTH**0.5).to("cuda", torch.float16)
    product = torch.empty_like(matrix)

    def chain() -> None:
        for _ in range(PRODUCTS):
            torch.mm(matrix, matrix, out=product)

    return chain
