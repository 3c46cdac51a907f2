"""What can be measured: the words a case is made of.  Light: no torch, no GPU library.

A case is model x runner x precision x shape x suite.  The tables here are the only list of the
runners, precisions and suites; a name that is not in its table is refused with the names that are.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

RUNNERS: dict[str, str] = {
    "torch": "PyTorch eager, on the CPU or on CUDA",
    "onnxruntime": "ONNX Runtime with the CPU or the CUDA execution provider",
    "tensorrt": "TensorRT 10 or 11, strongly typed engines",
    "tensorrt_rtx": "TensorRT-RTX; builds engines on a machine without a GPU",
}

PRECISIONS: dict[str, str] = {
    "fp32": "IEEE single precision",
    "fp16": "IEEE half precision, by a typed export",
    "bf16": "bfloat16, by a typed export",
}

SUITES: dict[str, str] = {
    "build": "export, engine or session build: times, sizes, parameter count",
    "latency": "single stream: one request after the other",
    "throughput": "offline: as many samples as fit in the time",
    "memory": "peak memory above what was there before the model was loaded",
}


def name_checked(name: str, table: dict[str, str], what: str) -> str:
    """Return `name` when it is a row of `table`.

    Raises:
        ValueError: the name is unknown; the message lists the known ones.
    """
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(table)}")
    return name


class ModelSource(BaseModel):
    """Where a model comes from.

    `ref` is a catalogue name, `path/file.py:function` returning `(module, example_inputs)`, or a
    path to an ONNX file or an engine; paths are relative to the root of the checkout.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["catalogue", "entry", "onnx", "engine"]
    ref: str = Field(min_length=1)


class Case(BaseModel):
    """One thing to measure.  `duration_s` is how long the suite measures, in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1, max_length=100)
    runner: str
    precision: str = "fp32"
    batch: int = Field(default=1, ge=1, le=65536)
    suite: str
    duration_s: float = Field(default=1.0, gt=0, le=43200)

    @field_validator("runner")
    @classmethod
    def _runner(cls, value: str) -> str:
        return name_checked(value, RUNNERS, "runner")

    @field_validator("precision")
    @classmethod
    def _precision(cls, value: str) -> str:
        return name_checked(value, PRECISIONS, "precision")

    @field_validator("suite")
    @classmethod
    def _suite(cls, value: str) -> str:
        return name_checked(value, SUITES, "suite")

    @property
    def shape(self) -> str:
        """The shape as series are keyed by it, for example `b8`."""
        return f"b{self.batch}"

    @property
    def label(self) -> str:
        """The case for people, for example `resnet50/onnxruntime/fp16/b1/latency`."""
        return f"{self.model}/{self.runner}/{self.precision}/{self.shape}/{self.suite}"
