"""The common form: what any profiler or inspector tells of one layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One step of a model as a runner executes it, fused perhaps from several nodes.

    `origins` are the names of the ONNX nodes or modules that it came from; `seconds` is its time in one
    inference, None where nobody measured it.  `kind` is the operator; `tactic` the kernel or the
    algorithm; `shapes` the first input's shape and the outputs'.
    """

    name: str
    kind: str = ""
    origins: frozenset[str] = frozenset()
    seconds: float | None = None
    precision: str = ""
    tactic: str = ""
    shapes: str = ""


@dataclass(frozen=True)
class Layers:
    """The layers of one build in the order in which they run.

    `seconds` is one inference from end to end as the same profiler saw it, None where it does not tell;
    `form` names the format they were read from.
    """

    layers: tuple[Layer, ...]
    form: str
    seconds: float | None = None

    @property
    def timed(self) -> bool:
        """Whether any layer has a time."""
        return any(layer.seconds is not None for layer in self.layers)

    @property
    def sum_s(self) -> float:
        """The sum of the layers' times, in seconds."""
        return sum(layer.seconds or 0.0 for layer in self.layers)


def middle(values: Sequence[float]) -> float:
    """The mean of the middle half: outliers do not move it, nor do whole microseconds grain it."""
    ordered = sorted(values)
    cut = len(ordered) // 4
    kept = ordered[cut : len(ordered) - cut]
    return sum(kept) / len(kept)


def shape_words(shape: Iterable[int | str]) -> str:
    """`1x3x224x224`; a scalar is `scalar`."""
    return "x".join(str(one) for one in shape) or "scalar"


def shapes_words(inputs: Iterable[str], outputs: Iterable[str]) -> str:
    """`1x3x32x32 → 1x16x32x32`: the first input's shape, which is the data's, and every output's."""
    before, after = next(iter(inputs), ""), ", ".join(outputs)
    return " → ".join(filter(None, (before, after)))


_INDEX_TYPES = frozenset({"int32", "int64", "uint8", "bool"})  # of shapes and masks: no layer's precision
_TYPES = {
    "float": "fp32",
    "float32": "fp32",
    "half": "fp16",
    "float16": "fp16",
    "bfloat16": "bf16",
    "float8e4m3fn": "fp8",
    "float8_e4m3fn": "fp8",
    "double": "fp64",
    "float64": "fp64",
    "long int": "int64",
    "long": "int64",
    "int": "int32",
    "unsigned char": "uint8",
}


def type_word(name: str) -> str:
    """A number's type as the catalogue of precisions writes it: `Half`, `c10::Half`, `float16` -> `fp16`."""
    plain = name.strip().lower().removeprefix("c10::").removeprefix("tensor(").removesuffix(")")
    return _TYPES.get(plain, plain)


def precision_words(inputs: Iterable[str], outputs: Iterable[str]) -> str:
    """`fp16`, or `int8 → fp16` where a layer's inputs and outputs differ; numbers of shapes do not count."""
    sides = [_arithmetic({type_word(name) for name in side if name}) for side in (inputs, outputs)]
    return " → ".join(dict.fromkeys(filter(None, sides)))


def _arithmetic(types: set[str]) -> str:
    return "+".join(sorted(types - _INDEX_TYPES) or sorted(types))
