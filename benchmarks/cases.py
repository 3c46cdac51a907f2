"""What can be measured: the words a case is made of.  Light: no torch, no GPU library.

A case is model x runner x precision x shape x suite.  The tables here are the only list of the
runners, precisions and suites; a name that is not in its table is refused with the names that are.
A suite that measures at several points (sizes, batches, numbers of GPUs) reports each under the
case that measures that point alone, so that it can be measured again by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator

from benchmarks.options import OptionValue, Pairs, of_runner, option_read, options_checked, options_written

RUNNERS: dict[str, str] = {
    "torch": "PyTorch eager, on the CPU or on CUDA",
    "torch_compile": "PyTorch compiled by torch.compile, on the CPU or on CUDA",
    "onnxruntime": "ONNX Runtime with the CPU or the CUDA execution provider",
    "onnxruntime_tensorrt": "ONNX Runtime with the TensorRT execution provider",
    "tensorrt": "TensorRT 10 or 11, strongly typed engines",
    "tensorrt_rtx": "TensorRT-RTX; builds engines on a machine without a GPU",
}

PRECISIONS: dict[str, str] = {
    "fp32": "IEEE single precision; TensorFloat-32 is off",
    "tf32": "single precision whose matrix products may round their inputs to TensorFloat-32",
    "fp16": "IEEE half precision, by a typed export",
    "bf16": "bfloat16, by a typed export",
    "int8": "8-bit integers by Q/DQ nodes, calibrated on seeded data",
    "fp8": "8-bit floating point (E4M3) by Q/DQ nodes",
    "int4": "4-bit weights in blocks, arithmetic in fp16",
}

SUITES: dict[str, str] = {
    "build": "export, engine or session build: times, sizes, parameter count, build-to-build spread",
    "accuracy": "drift of the outputs against fp32 on seeded inputs",
    "evaluate": "the repository's own quality metrics",
    "latency": "single stream: one request after the other; GPU time and host latency apart",
    "throughput": "offline: as many samples as fit in the time; the batch where more brings nothing",
    "server": "requests that arrive at random and wait for nobody (Poisson, open loop)",
    "concurrency": "several copies of the model at once",
    "mixed": "two models share the device",
    "memory": "peak memory by kind, above what was there before the model was loaded",
    "cold_start": "loading, the first inference, and the exchange of a model that runs",
    "soak": "minutes to hours: leaks, drift, temperature, power",
    "energy": "joules per sample at steady state",
    "recovery": "the serving process is killed under load: time to the next good answer",
    "generation": "prompt and generated tokens of a decoder",
    "sweep": "input sizes up to the model's limit or the memory's end",
    "scaling": "one to all GPUs of the host",
}

DEFAULT_SUITES = ("build", "latency", "throughput", "memory")
"""What is measured when nobody says: short, and a number of general interest each."""

ONCE_SUITES = frozenset({"build", "accuracy", "evaluate", "cold_start", "recovery"})
"""Suites that tell of a model, not of a batch: of several batches they are measured at the first."""


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
    path to an ONNX file or an engine; paths are relative to the root of the checkout.  `evaluate` is
    `path/file.py:function` of the repository's own quality metrics, `evaluate_lower` names those of
    them of which less is better.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["catalogue", "entry", "onnx", "engine"]
    ref: str = Field(min_length=1)
    evaluate: str | None = None
    evaluate_lower: tuple[str, ...] = ()


class Case(BaseModel):
    """One thing to measure.

    `duration_s` is how long the suite measures, in seconds; `options` (see `options.py`) are part of
    what is measured, and read and written as a mapping.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1, max_length=100)
    runner: str
    precision: str = "fp32"
    batch: int = Field(default=1, ge=1, le=65536)
    suite: str
    duration_s: float = Field(default=1.0, gt=0, le=43200)
    options: Pairs = ()

    @field_validator("options", mode="before")
    @classmethod
    def _options(cls, value: Any) -> Pairs:
        return options_checked(value)

    @field_serializer("options")
    def _options_written(self, value: Pairs) -> dict[str, OptionValue]:
        return dict(value)

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
        """The shape as series are keyed by it, for example `b8` or `b8,qps=50`."""
        return ",".join([f"b{self.batch}", *options_written(self.options)])

    @property
    def runner_options(self) -> Pairs:
        """The options that say how the model is run, not what is measured."""
        return of_runner(self.options)

    def option(self, name: str, default: Any = None) -> Any:
        """The value of an option, `default` where the case does not say."""
        return dict(self.options).get(name, default)

    def at(self, *, batch: int | None = None, **options: OptionValue | None) -> Case:
        """The case of one point: this one with other options (None takes one away) or another batch.

        Raises:
            ValueError: a value is not allowed.
        """
        merged: Mapping[str, OptionValue | None] = {**dict(self.options), **options}
        kept = options_checked({name: value for name, value in merged.items() if value is not None})
        return self.model_copy(update={"options": kept, "batch": batch or self.batch})

    def at_shape(self, shape: str) -> Case:
        """The case of the same model, runner, precision and suite with this shape.

        Raises:
            ValueError: `shape` is none.
        """
        batch, *pairs = shape.split(",")
        if batch[:1] != "b" or not batch[1:].isdigit():
            raise ValueError(f"{shape!r} is no shape; one looks like b8 or b8,qps=50")
        options = options_checked(option_read(pair) for pair in pairs)
        return self.model_copy(update={"options": options, "batch": int(batch[1:])})

    @property
    def origin(self) -> tuple[str, str, str, str, float]:
        """What a case and the points that its suite reports have in common: all but the shape."""
        return self.model, self.runner, self.precision, self.suite, self.duration_s

    @property
    def label(self) -> str:
        """The case for people, for example `resnet50/onnxruntime/fp16/b1/latency`."""
        return f"{self.model}/{self.runner}/{self.precision}/{self.shape}/{self.suite}"
