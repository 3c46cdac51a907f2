"""Suite `scaling`: the same case on one to all GPUs of the host.

Replicas run the whole model on every GPU; a decoder in torch can also be spread over them by its
matrices (tensor) or by its layers (pipeline).  Every process has one GPU; all begin together, and
only the time in which all were at work counts.  The batch is of one replica, or of the whole group.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.cases import Case
from benchmarks.errors import CannotRun, MeasureError
from benchmarks.nvml import gpu_count
from benchmarks.parallel.ranks import ranks_run
from benchmarks.parallel.replicas import LOAD_S, replica_measure
from benchmarks.parallel.window import Timeline, common_rates
from benchmarks.runners.base import Assets
from benchmarks.stats import Interval, median_bootstrap
from benchmarks.suites.base import Bench, Findings

MODES = ("replicas", "tensor", "pipeline")
SHORTEST_S = 0.2  # of one point
SLACK_S = 120.0  # for starting and ending processes, beside loading


@dataclass(frozen=True)
class Point:
    """How many GPUs, and how they share."""

    gpus: int
    mode: str


ONE = Point(1, "replicas")


def scaling_measure(bench: Bench) -> Findings:
    """Throughput at each point, and its speed-up against one GPU measured in the same case.

    Raises:
        CannotRun: there is no GPU, or fewer than asked for, or the model cannot be spread as asked.
    """
    case, findings = bench.case, Findings(bench.case)
    if bench.assets.device != "cuda":
        raise CannotRun("scaling counts GPUs; there is none")
    visible = gpus_visible()
    points = points_of(case, len(visible))
    share = max(SHORTEST_S, case.duration_s / len({ONE, *points}))

    def measure(point: Point) -> tuple[np.ndarray, str]:
        return point_measure(case, bench.assets, point, visible[: point.gpus], share)

    alone, no_graph = measure(ONE)
    if ONE in points:
        _report(findings.at(gpus=ONE.gpus, mode=ONE.mode), ONE, alone, alone, no_graph)
    for point in points:
        if point != ONE:
            _point_try(findings, case, point, measure, alone)
    if len(visible) == 1:
        findings.remark("one-gpu", "there is one GPU here, so nothing scales; measure on a host with several")
    return findings


def gpus_visible() -> tuple[str, ...]:
    """The GPUs this process may use, as CUDA_VISIBLE_DEVICES names each."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is None:
        return tuple(str(number) for number in range(gpu_count()))
    return tuple(name for part in told.split(",") if (name := part.strip()))


def points_of(case: Case, available: int) -> tuple[Point, ...]:
    """The points to measure: those the case names, or 1, 2, 4 ... and all GPUs in each mode.

    Raises:
        CannotRun: more GPUs were asked for than there are, or a mode that the runner has not.
    """
    gpus, mode = case.option("gpus"), case.option("mode")
    if gpus is not None and gpus > available:
        raise CannotRun(f"{gpus} GPUs were asked for, and this process may use {available}")
    if mode in ("tensor", "pipeline") and case.runner != "torch":
        raise CannotRun(f"{case.runner} runs whole models; mode={mode} needs the runner torch")
    counts = [gpus] if gpus is not None else _counts(available)
    modes = [mode] if mode is not None else list(MODES if case.runner == "torch" else MODES[:1])
    found = [Point(count, one) for count in counts for one in modes]
    if mode is None:
        found = [point for point in found if point.gpus > 1 or point == ONE]
    return tuple(found)


def _counts(available: int) -> list[int]:
    doubled = [2**power for power in range(available.bit_length()) if 2**power <= available]
    return doubled if doubled[-1] == available else [*doubled, available]


def _point_try(
    findings: Findings,
    case: Case,
    point: Point,
    measure: Callable[[Point], tuple[np.ndarray, str]],
    alone: np.ndarray,
) -> None:
    """One point of several: what cannot be is told, and the others are measured."""
    place = findings.at(gpus=point.gpus, mode=point.mode)
    try:
        rates, no_graph = measure(point)
    except CannotRun as error:
        if case.option("mode") is not None:
            raise
        findings.remark("mode-left-out", f"{point.mode} on {point.gpus} GPUs was left out: {error}")
    except MeasureError as error:
        if case.option("gpus") is not None and case.option("mode") is not None:
            raise
        place.remark(
            "point-failed",
            f"{point.mode} on {point.gpus} GPUs could not be measured: {error}; measure it alone with "
            f"gpus={point.gpus} and mode={point.mode} to see why",
            unstable=True,
        )
    else:
        _report(place, point, rates, alone, no_graph)


def point_measure(
    case: Case, assets: Assets, point: Point, visible: Sequence[str | None], duration_s: float
) -> tuple[np.ndarray, str]:
    """Samples per second of all processes together (slices,), and why they were no CUDA graphs.

    `visible` names each process's GPU as CUDA_VISIBLE_DEVICES does; None leaves it as it is.

    Raises:
        BenchmarkError: the point cannot be measured; no process is left.
    """
    most_s = LOAD_S + SLACK_S + 4 * duration_s
    shared = replace(assets, threads=max(1, assets.threads // point.gpus))
    if point.mode == "replicas":
        timelines = ranks_run(
            replica_measure, case.runner, shared, case.batch, duration_s, visible=visible, most_s=most_s
        )
        return common_rates(timelines), _reason(timelines)
    # torch: only when a model is spread.  Every process sees all of the group's GPUs and takes its own
    sharded = importlib.import_module("benchmarks.parallel.sharded")
    named = [name for name in visible if name is not None]
    together = ",".join(named) if named else None
    timelines = ranks_run(
        sharded.shard_measure,
        point.mode,
        assets,
        case.batch,
        duration_s,
        visible=[together] * point.gpus,
        most_s=most_s,
    )
    # all work at the same requests: what the last one finished is what the group did
    return common_rates(timelines[-1:]), _reason(timelines)


def _reason(timelines: Sequence[Timeline]) -> str:
    return next((one.no_graph for one in timelines if one.no_graph), "")


def speedup_of(rates: np.ndarray, alone: np.ndarray) -> Interval:
    """How many times the median rate of one, with the bounds that the two intervals leave."""
    many, one = median_bootstrap(rates), median_bootstrap(alone)
    bounds = (many.low, many.high, one.low, one.high)
    if any(bound is None or bound <= 0 for bound in bounds):
        return Interval(many.value / one.value, None, None)
    low, high, one_low, one_high = (float(bound) for bound in bounds if bound is not None)
    return Interval(many.value / one.value, low / one_high, high / one_low)


def _report(place: Findings, point: Point, rates: np.ndarray, alone: np.ndarray, no_graph: str) -> None:
    place.add("throughput", median_bootstrap(rates), rates)
    if no_graph:
        place.remark(
            "no-graph",
            f"{no_graph}; without CUDA graphs these rates are the host's submitting as much as the GPUs' "
            "computing: let the model run without waiting for the GPU",
        )
    if point.gpus == 1:
        return
    speedup = speedup_of(rates, alone)
    low, high = (None if bound is None else bound / point.gpus for bound in (speedup.low, speedup.high))
    place.add("scaling_speedup", speedup)
    place.add("scaling_efficiency", Interval(speedup.value / point.gpus, low, high))
