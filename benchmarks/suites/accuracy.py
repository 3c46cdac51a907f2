"""Suite `accuracy`: how far this runner's outputs in this precision are from fp32's, on seeded inputs.

The reference is torch in fp32 on the CPU, whatever the device, so that one model has one reference;
of an ONNX file it is the file itself on onnxruntime's CPU provider.  Inputs are made in fp32 and
rounded to the precision afterwards: what the rounding costs is part of the drift.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.errors import CannotRun, MeasureError
from benchmarks.quantization.samples import DRIFT_SEED, inputs_seeded
from benchmarks.runners.base import Assets, Runner
from benchmarks.runners.table import runner_open
from benchmarks.suites.base import Bench, Findings, runner_of

BATCHES = 4
Outputs = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Drift:
    """Of one batch: the cosine distance, the largest absolute difference, the share of equal maxima.

    `top1` is None where the last axis of the first output has fewer than two places.
    """

    cosine: float
    max_abs: float
    top1: float | None


def accuracy_measure(bench: Bench) -> Findings:
    """The drift over a few seeded batches; the same inputs each time.

    Raises:
        CannotRun: an engine alone has no fp32 reference.
        MeasureError: the outputs are not comparable, or not finite.
    """
    runner, case = runner_of(bench), bench.case
    wide = tuple(_widened(array) for array in bench.assets.example)
    batches = inputs_seeded(wide, batch=case.batch, count=BATCHES, seed=DRIFT_SEED)
    assets = _reference_assets(bench.assets)
    with _reference_open(assets) as reference:
        reference.bind(case.batch)
        expected = [_expected(reference, batch, bench.assets) for batch in batches]
    runner.bind(case.batch)  # the reference's threads and arithmetic were the whole process's meanwhile
    drifts = [_drift_of(runner, *pair, bench.assets) for pair in zip(batches, expected, strict=True)]
    findings = Findings(case)
    cosines = np.asarray([drift.cosine for drift in drifts])
    findings.add("accuracy_cosine_distance", float(cosines.mean()), cosines)
    largest = np.asarray([drift.max_abs for drift in drifts])
    findings.add("accuracy_max_abs", float(largest.max()), largest)
    shares = np.asarray([drift.top1 for drift in drifts if drift.top1 is not None])
    if shares.size:
        findings.add("accuracy_top1", float(shares.mean()), shares)
    if (case.runner, bench.assets.device, case.precision) == (reference.name, "cpu", "fp32"):
        findings.remark(
            "is-reference",
            f"{case.runner} in fp32 on the CPU is the reference itself, so its drift is zero; "
            "measure another runner or precision to learn theirs",
        )
    return findings


def _widened(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype.kind in "fV" else array


def _reference_assets(assets: Assets) -> Assets:
    """What the reference loads: the module in fp32, or the ONNX file as it is."""
    return replace(assets, device="cpu", precision="fp32", engine=None, options=())


@contextmanager
def _reference_open(assets: Assets) -> Iterator[Runner]:
    if assets.source.kind == "engine":
        raise CannotRun(
            "an engine alone has no fp32 reference; give the ONNX file or the module that it was built from"
        )
    name = "onnxruntime" if assets.source.kind == "onnx" else "torch"
    with runner_open(name, assets) as reference:
        yield reference


def _expected(reference: Runner, batch: Outputs, assets: Assets) -> Outputs:
    """What the reference gives for a batch of fp32 inputs."""
    return _outputs_of(reference, batch if assets.source.kind != "onnx" else _typed(batch, assets))


def _drift_of(runner: Runner, batch: Outputs, expected: Outputs, assets: Assets) -> Drift:
    """The drift on one batch of fp32 inputs."""
    found = _outputs_of(runner, _typed(batch, assets))
    if [array.shape for array in found] != [array.shape for array in expected]:
        raise MeasureError(
            f"{runner.name} gives outputs of shapes {[array.shape for array in found]} and the reference "
            f"{[array.shape for array in expected]}; return the same tensors in every precision"
        )
    return drift(found, expected, where=f"{runner.name} in {assets.precision}")


def _typed(batch: Outputs, assets: Assets) -> Outputs:
    return tuple(array.astype(like.dtype) for array, like in zip(batch, assets.example, strict=True))


def _outputs_of(runner: Runner, inputs: Outputs) -> Outputs:
    runner.feed(inputs)
    runner.infer()
    return tuple(np.asarray(array, dtype=np.float64) for array in runner.outputs())


def drift(found: Outputs, expected: Outputs, *, where: str) -> Drift:
    """How far `found` is from `expected`, two equally shaped tuples of arrays in double precision.

    Places in which the reference is not finite (masked ones) are left out.

    Raises:
        MeasureError: there is nothing to compare, or a number that should be finite is not.
    """
    pairs = [_finite_pairs(*pair, where=where) for pair in zip(found, expected, strict=True)]
    if not any(one.size for one, _ in pairs):
        raise MeasureError(f"{where}: the reference's outputs hold no finite number to compare with")
    return Drift(
        cosine=max(cosine_distance(one, other) for one, other in pairs),
        max_abs=max(float(np.abs(one - other).max(initial=0.0)) for one, other in pairs),
        top1=_top1(found[0], expected[0]),
    )


def _finite_pairs(found: np.ndarray, expected: np.ndarray, *, where: str) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(expected)
    lost = int((~np.isfinite(found[known])).sum())
    if lost:
        raise MeasureError(
            f"{where}: {lost} of {int(known.sum())} outputs are infinite or no numbers, fp32's are finite: "
            "the precision overflows; keep the layers that need its range in a wider one"
        )
    return found[known], expected[known]


def cosine_distance(one: np.ndarray, other: np.ndarray) -> float:
    """1 - cosine of two arrays of equal size, between 0 and 2; exactly 0 for equal ones.

    Computed as half the squared distance of the unit vectors, which does not cancel as 1 - cosine does.
    Two zero vectors are equal; a zero vector and another are 1 apart.
    """
    lengths = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    if 0.0 in lengths:
        return 0.0 if lengths[0] == lengths[1] else 1.0
    difference = one.ravel() / lengths[0] - other.ravel() / lengths[1]
    return float(difference @ difference) / 2


def _top1(found: np.ndarray, expected: np.ndarray) -> float | None:
    if expected.ndim < 2 or expected.shape[-1] < 2:
        return None
    return float((found.argmax(axis=-1) == expected.argmax(axis=-1)).mean())
