"""Suite `evaluate`: the repository's own quality metrics, of what this case's runner computes.

`evaluate(model)` gets a callable with the signature of the module's forward, torch tensors in and
out, and returns `{name: number}`.  Each call goes through the runner in the case's precision, so that
BLEU, accuracy or FID are measured of the engine that is timed, not of the module it was made from.
"""

from __future__ import annotations

import importlib
import inspect
import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.cases import ModelSource
from benchmarks.errors import CannotRun, MeasureError, ModelError
from benchmarks.metrics import Better, evaluate_metric
from benchmarks.models.entry import entry_call
from benchmarks.runners.base import Assets, Runner
from benchmarks.suites.base import Bench, Findings, runner_of

MOST_METRICS = 50
SEED = 0


def evaluate_measure(bench: Bench) -> Findings:
    """What the function named by the source returns, each number a metric of its own.

    Raises:
        CannotRun: the source names no such function.
        MeasureError: it is missing, raises, or returns something else than named finite numbers; the
            job's other cases go on.
    """
    source, assets = bench.assets.source, bench.assets
    if source.evaluate is None:
        raise CannotRun(
            "this model names no function of its own metrics; write evaluate = 'path/file.py:function' in "
            "its table of perfsite.toml, a function that takes the model and returns {name: number}"
        )
    model = EvaluatedModel(runner_of(bench), assets, bench.case.batch)
    _generators_seed()
    try:
        numbers = numbers_checked(entry_call(source.evaluate, assets.checkout, model), source)
    except ModelError as error:
        raise MeasureError(str(error)) from error
    findings = Findings(bench.case)
    for name, value in numbers.items():
        better: Better = "lower" if name in source.evaluate_lower else "higher"
        findings.add(evaluate_metric(name, better=better), value)
    if model.calls == 0:
        findings.remark(
            "model-not-called",
            f"{source.evaluate} never called the model that it was given: its numbers say nothing of this "
            "runner; compute them from model(...)",
            unstable=True,
        )
    return findings


def _generators_seed() -> None:
    """So that a function which draws its samples draws the same ones each time."""
    random.seed(SEED)
    np.random.seed(SEED)
    importlib.import_module("torch").manual_seed(SEED)


def numbers_checked(returned: object, source: ModelSource) -> dict[str, float]:
    """The returned numbers by name.

    Raises:
        ModelError: no mapping, no or too many numbers, a name that cannot be a metric's, something that
            is no finite number, or a name in `evaluate_lower` that was not returned.
    """
    where = source.evaluate
    if not isinstance(returned, Mapping):
        raise ModelError(f"{where} must return a dict of names and numbers, not {type(returned).__name__}")
    if not 1 <= len(returned) <= MOST_METRICS:
        raise ModelError(f"{where} must return 1 to {MOST_METRICS} numbers, not {len(returned)}")
    numbers = {_name_checked(name, where): _number_of(name, value, where) for name, value in returned.items()}
    unknown = sorted(set(source.evaluate_lower) - set(numbers))
    if unknown:
        raise ModelError(
            f"evaluate_lower names {', '.join(unknown)}, which {where} did not return; "
            f"it returned {', '.join(numbers)}"
        )
    return numbers


def _name_checked(name: object, where: str | None) -> str:
    try:
        evaluate_metric(str(name), better="higher")
    except ValueError as error:
        raise ModelError(f"{where}: {error}") from error
    return str(name)


def _number_of(name: object, value: Any, where: str | None) -> float:
    single = hasattr(value, "item") and getattr(value, "size", 1) != 0
    try:
        plain = value.item() if single else value  # numpy's and torch's numbers
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{where}: {name!r} holds several numbers; return one") from error
    if isinstance(plain, bool) or not isinstance(plain, int | float) or not math.isfinite(plain):
        raise ModelError(f"{where}: {name!r} is {value!r:.80}, not a finite number")
    return float(plain)


class EvaluatedModel:
    """The model as a repository's own function calls it: tensors of any batch in, tensors out.

    One output comes alone, several as a tuple, floating point as float32.  A batch other than the
    bound one is bound when it comes; on a GPU with onnxruntime that takes as long as a load.
    """

    def __init__(self, runner: Runner, assets: Assets, batch: int) -> None:
        self.calls = 0
        self._runner, self._assets, self._batch = runner, assets, batch
        self._names: list[str] | None = None

    def __call__(self, *tensors: Any, **named: Any) -> Any:
        """The outputs for `tensors`, one per input of the model, by position or by name.

        Raises:
            ModelError: other inputs than the model's example has, but for the batch.
        """
        inputs = importlib.import_module("benchmarks.models.inputs")  # torch: the caller has it already
        arrays = self._arrays_of((*tensors, *self._ordered(len(tensors), named)), inputs)
        rows = arrays[0].shape[0]
        if rows != self._batch:
            self._runner.bind(rows)
            self._batch = rows
        self._runner.feed(arrays)
        self._runner.infer()
        self.calls += 1
        outputs = tuple(inputs.array_tensor(np.array(array)) for array in self._runner.outputs())
        return outputs[0] if len(outputs) == 1 else outputs

    def _ordered(self, given: int, named: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values given by name, in the order of forward's parameters after the first `given`."""
        if not named:
            return ()
        if self._names is None:
            self._names = _forward_names(self._assets)
        rest = self._names[given : len(self._assets.example)]
        if set(named) != set(rest):
            raise ModelError(
                f"{self._assets.source.evaluate} called the model with {', '.join(named)}; "
                f"by name it takes {', '.join(rest) or 'nothing'} here"
            )
        return tuple(named[name] for name in rest)

    def _arrays_of(self, tensors: tuple[Any, ...], inputs: Any) -> tuple[np.ndarray, ...]:
        where, example = self._assets.source.evaluate, self._assets.example
        if len(tensors) != len(example):
            raise ModelError(f"{where} called the model with {len(tensors)} inputs; it takes {len(example)}")
        arrays = []
        for position, (tensor, like) in enumerate(zip(tensors, example, strict=True)):
            shape = tuple(getattr(tensor, "shape", ()))
            rows = tuple(getattr(tensors[0], "shape", ()))[:1]
            if not shape or shape[0] == 0 or (*rows, *like.shape[1:]) != shape:
                raise ModelError(
                    f"{where} called the model with input {position} of shape {list(shape)}; "
                    f"it takes {['batch', *like.shape[1:]]}, the same batch in every input"
                )
            array = inputs.tensor_array(tensor.detach().cpu()) if hasattr(tensor, "detach") else tensor
            arrays.append(np.ascontiguousarray(array.astype(like.dtype)))
        return tuple(arrays)


def _forward_names(assets: Assets) -> list[str]:
    """Names of forward's parameters, from the module loaded once more.

    Raises:
        ModelError: the source is no module, whose inputs have no names.
    """
    sources = importlib.import_module("benchmarks.models.source")
    before = importlib.import_module("benchmarks.precision").MatmulSettings.now()
    module = sources.model_load(assets.source, assets.checkout, assets.precision).module
    before.restore()  # loading sets the whole process to one thread
    return list(inspect.signature(module.forward).parameters)
