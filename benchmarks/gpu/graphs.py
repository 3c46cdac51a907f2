"""CUDA graphs: the work of a call, recorded once and replayed with one launch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.errors import CannotCapture, first_line

WARM_CALLS = 3


@dataclass(frozen=True)
class Captured:
    """A recorded graph, the stream it is replayed on, and the call that was recorded.

    The graph reads and writes where the call's tensors lay: holding the call keeps them there.
    """

    graph: Any
    stream: Any
    call: Callable[[], object]

    def replay(self) -> None:
        """Launch the graph on its stream; does not wait."""
        with torch.cuda.stream(self.stream):
            self.graph.replay()


def graph_capture(call: Callable[[], object], stream: Any) -> Captured:
    """Record what `call` enqueues on `stream` (torch's current stream while it is called).

    It runs a few times before: libraries choose their kernels and take their memory then, which a
    capture does not allow.

    Raises:
        CannotCapture: something in the call does not allow it: it waits for the GPU, or its work
            depends on values there.
    """
    try:
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_CALLS):
                call()
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            call()
        stream.synchronize()
    except Exception as error:  # torch raises RuntimeError, AcceleratorError, and what the model raises
        raise CannotCapture(f"no CUDA graph of it: {type(error).__name__}: {first_line(error)}") from error
    return Captured(graph, stream, call)
