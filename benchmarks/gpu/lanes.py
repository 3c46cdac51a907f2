"""Requests of several models on streams of their own, each timed by an event behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch


def lanes_time(
    order: Sequence[int], submits: Sequence[Callable[[], None]], streams: Sequence[Any], *, in_turn: bool
) -> np.ndarray:
    """Seconds from a common start until each request of `order` was done on the GPU: (requests,).

    Request `order[i]` is enqueued by `submits[order[i]]` on `streams[order[i]]`, all without waiting;
    the streams may overlap.  With `in_turn` a stream that follows another in `order` waits until
    that one's requests before it are done.
    """
    start = _event()
    start.record(streams[order[0]])
    for lane in sorted(set(order)):
        streams[lane].wait_event(start)
    done: list[Any] = []
    for place, lane in enumerate(order):
        if in_turn and place and order[place - 1] != lane:
            streams[lane].wait_event(done[-1])
        submits[lane]()
        done.append(_event())
        done[-1].record(streams[lane])
    for event in done:
        event.synchronize()
    return np.asarray([start.elapsed_time(event) for event in done]) * 1e-3  # CUDA tells milliseconds


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)
