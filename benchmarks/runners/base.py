"""What every runner offers: load, bind, infer, memory, close, as a context manager.

A runner on a GPU has a stream of its own.  `submit` enqueues one inference there and does not wait;
once `capture` has recorded the bound inference as a CUDA graph, `submit` replays it.  Whoever times
GPU work puts events on `stream` around `submit`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np

from benchmarks.artifacts import Artifact
from benchmarks.cases import ModelSource
from benchmarks.device import DeviceKind
from benchmarks.errors import CannotCapture, CannotRun
from benchmarks.options import OptionValue, Pairs


@dataclass(frozen=True)
class Assets:
    """What the runners of one model and precision load from; may cross to another process.

    `example` holds one array per model input, dim 0 the batch, in the graph's order.  `size` is the
    input size that a sweep asked for instead of the example's own; `options` say how to run.
    """

    source: ModelSource
    checkout: Path
    precision: str
    device: DeviceKind
    threads: int
    example: tuple[np.ndarray, ...] = ()
    onnx: Artifact | None = None
    engine: Artifact | None = None
    size: int | None = None
    options: Pairs = ()

    def option(self, name: str, default: OptionValue | None = None) -> OptionValue | None:
        """The value of a runner's option, `default` where nobody said."""
        return dict(self.options).get(name, default)


class Runner(ABC):
    """One way to run a model.  Entering loads it, leaving gives everything back."""

    name: ClassVar[str]
    _stream: Any = None

    def __init__(self, assets: Assets) -> None:
        self.assets = assets

    def __enter__(self) -> Self:
        self.load()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def load(self) -> None:
        """Bring the model to where it can run.

        Raises:
            CannotRun: this machine cannot; the message is the reason.
        """

    @abstractmethod
    def bind(self, batch: int) -> None:
        """Place inputs of `batch` rows where `infer` reads them; drops a capture."""

    @abstractmethod
    def feed(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Copy other values into the bound inputs: one array per input, of the bound shapes and types.

        On a GPU the copies are enqueued on `stream`.
        """

    @abstractmethod
    def infer(self) -> None:
        """Run the bound inputs once and return when the outputs are there."""

    @property
    def stream(self) -> Any | None:
        """The CUDA stream (torch's object) that `submit` enqueues on; None where there is no GPU."""
        return self._stream

    @property
    def captured(self) -> bool:
        """Whether `submit` replays a CUDA graph."""
        return False

    def capture(self) -> None:
        """Record the bound inference as a CUDA graph.

        Raises:
            CannotCapture: the model, the runner or the device does not allow it.
        """
        raise CannotCapture(f"{self.name} runs without a GPU here, so there is no CUDA graph to record")

    def submit(self) -> None:
        """Begin one inference of the bound inputs; on a GPU it does not wait for it."""
        self.infer()

    def wait(self) -> None:
        """Return when everything submitted is done."""
        if self._stream is not None:
            self._stream.synchronize()

    @abstractmethod
    def outputs(self) -> tuple[np.ndarray, ...]:
        """The outputs of the last `infer`, copied to the host; bfloat16 as float32."""

    def layer_count(self) -> int:
        """Layers of a loaded engine after fusion.

        Raises:
            CannotRun: what this runner loads is no engine.
        """
        raise CannotRun(f"{self.name} loads no engine, so it has no layers to count")

    def memory(self) -> dict[str, int]:
        """Device memory by kind, in bytes, as the runner's own allocator counts it.

        Keys: `allocated_peak`, `reserved_peak`, `allocated`, `reserved`, `engine_context`.
        """
        return {}

    @abstractmethod
    def close(self) -> None:
        """Give back what `load` and `bind` took; harmless when called twice."""


def artifact_required(artifact: Artifact | None, runner: str, what: str) -> Artifact:
    """The artifact.

    Raises:
        CannotRun: there is none to load.
    """
    if artifact is None:
        raise CannotRun(f"{runner} needs {what}, and this job has none")
    return artifact
