"""One rank's part of a decoder: receive, compute, send, in step with the other ranks."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist

from benchmarks.errors import CannotCapture
from benchmarks.gpu.graphs import Captured, graph_capture


@dataclass
class Shard:
    """Rank `number` of `world` and what it computes.

    `received` and `sent` are the hidden states (n, tokens, width) that come from the rank before and go
    to the next; None where there is none, as in tensor parallelism.
    """

    number: int
    world: int
    device: torch.device
    module: Any
    inputs: tuple[Any, ...]
    received: Any = None
    sent: Any = None
    output: Any = None
    _graph: Captured | None = None
    _stream: Any = field(init=False)

    def __post_init__(self) -> None:
        self._stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None

    def calls(self, count: int) -> None:
        """Run `count` requests one after the other and wait for the last."""
        with torch.no_grad(), self._on_stream():
            for _ in range(count):
                if self.received is not None:
                    dist.recv(self.received, src=self.number - 1)
                if self._graph is None:
                    self._compute()
                else:
                    self._graph.replay()
                if self.sent is not None:
                    dist.send(self.sent, dst=self.number + 1)
        self._wait()

    def _compute(self) -> None:
        self.output = self.module(*self.inputs)

    def calls_time(self, count: int) -> float:
        """Seconds of each of `count` requests, on the host's clock."""
        started = time.perf_counter()
        self.calls(count)
        return (time.perf_counter() - started) / count

    def capture(self, *, allowed: bool) -> str:
        """Record what this rank computes as a CUDA graph, if every rank can; else why not.

        In tensor parallelism the sums over ranks are recorded with it; sending and receiving never are.
        """
        if self._stream is None:
            return ""
        reason = "" if allowed else "the case switched CUDA graphs off"
        if allowed:
            try:
                with torch.no_grad():
                    self._graph = graph_capture(self._compute, self._stream)
            except CannotCapture as error:
                reason = str(error)
        everybody = torch.tensor([not reason], dtype=torch.int32, device=self.device)
        dist.all_reduce(everybody, op=dist.ReduceOp.MIN)
        if not int(everybody.item()):
            self._graph = None
            reason = reason or "another process could not record its part"
        return reason

    def agreed(self, value: int) -> int:
        """The first rank's `value`, on every rank, when all have come here."""
        told = torch.tensor([value], dtype=torch.int64, device=self.device)
        dist.broadcast(told, src=0)
        return int(told.item())

    def close(self) -> None:
        """Drop the graph: one that holds sums over ranks must go before the group that sums."""
        self._wait()
        self._graph, self.output, self.module = None, None, None

    def _wait(self) -> None:
        if self._stream is not None:
            self._stream.synchronize()

    def _on_stream(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
