"""What every runner offers: load, bind, infer, memory, close, as a context manager."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import numpy as np

from benchmarks.artifacts import Artifact
from benchmarks.cases import ModelSource
from benchmarks.device import DeviceKind
from benchmarks.errors import CannotRun


@dataclass(frozen=True)
class Assets:
    """What the runners of one model and precision load from; may cross to another process.

    `example` holds one array per model input, dim 0 the batch, in the graph's order.
    """

    source: ModelSource
    checkout: Path
    precision: str
    device: DeviceKind
    threads: int
    example: tuple[np.ndarray, ...] = ()
    onnx: Artifact | None = None
    engine: Artifact | None = None


class Runner(ABC):
    """One way to run a model.  Entering loads it, leaving gives everything back."""

    name: ClassVar[str]

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
        """Place inputs of `batch` rows where `infer` reads them."""

    @abstractmethod
    def infer(self) -> None:
        """Run the bound inputs once and return when the outputs are there."""

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
        """Device memory by kind, in bytes, as the runner's own allocator counts it."""
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
