"""The GPU's canary: a captured chain of matrix products."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from benchmarks.errors import CannotRun
from benchmarks.gpu.events import launches_time
from benchmarks.gpu.graphs import graph_capture

WIDTH = 2048
PRODUCTS = 10
_SEED = 0
_WARM = 20


def canary_samples(repeats: int) -> list[float]:
    """Seconds of the chain on the GPU, `repeats` times.

    Raises:
        CannotRun: torch cannot use the GPU.
    """
    if not torch.cuda.is_available():
        raise CannotRun(f"torch {torch.__version__} cannot use the GPU")
    stream, replay = _canary()
    for _ in range(_WARM):
        replay()
    return list(launches_time(replay, stream, pairs=repeats, per_pair=10))


@cache
def _canary() -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(_SEED)
    matrix = (torch.randn(WIDTH, WIDTH, generator=generator) / WIDTH**0.5).to("cuda", torch.float16)
    product = torch.empty_like(matrix)

    def chain() -> None:
        for _ in range(PRODUCTS):
            torch.mm(matrix, matrix, out=product)

    stream = torch.cuda.Stream()
    return stream, graph_capture(chain, stream).replay
