"""What a generated history measures: devices, models and the series of one job (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, product

from benchmarks.metrics import METRICS
from perfsite.core.errors import PerfsiteError


@dataclass(frozen=True)
class Kind:
    """A kind of GPU.  `speed` is relative to an H100, `price` an hour, `count` how many there are."""

    device_class: str
    gpu_name: str
    speed: float
    watts: float
    price: float
    count: int


@dataclass(frozen=True)
class Model:
    """`base_s` is one inference at fp16 and batch 1 on an H100; `tokens` for decoders."""

    name: str
    base_s: float
    memory: float
    tokens: float = 0.0


KINDS = (
    Kind("nvidia-h100-80gb-hbm3", "NVIDIA H100 80GB HBM3", 1.0, 520.0, 2.99, 2),
    Kind("nvidia-l4", "NVIDIA L4", 0.21, 70.0, 0.71, 3),
    Kind("nvidia-a100-sxm4-80gb", "NVIDIA A100-SXM4-80GB", 0.55, 340.0, 1.79, 2),
    Kind("nvidia-h200", "NVIDIA H200", 1.12, 560.0, 3.59, 1),
)
MODELS = (
    Model("resnet50", 0.00092, 3.1e8),
    Model("qwen2.5-0.5b", 0.0034, 1.9e9, tokens=290.0),
    Model("bert-base", 0.0013, 6.2e8),
    Model("vit-b16", 0.0021, 7.4e8),
    Model("yolo11-s", 0.0026, 4.4e8),
    Model("whisper-small", 0.0088, 1.4e9, tokens=210.0),
    Model("clip-b32", 0.0019, 9.0e8),
    Model("sdxl-unet", 0.034, 6.1e9),
    Model("segment-anything", 0.019, 2.6e9),
    Model("mixer-b16", 0.0016, 6.0e8),
)
PRECISIONS = {"fp16": 1.0, "int8": 0.66, "fp32": 2.3}
RUNNERS = {"tensorrt": 1.0, "onnxruntime": 1.32, "torch": 1.9}
BATCHES = (1, 8)
_WIDTH = {"latency_p99": 0.03, "server_latency_p99": 0.04, "gpu_compute_time_p50": 0.003}
_EXACT = frozenset({"gpu_peak_memory", "engine_size"})


@dataclass(frozen=True)
class Row:
    """One series: its names, its first level in the metric's unit, the relative spread of its values."""

    kind: Kind
    model: str
    precision: str
    runner: str
    shape: str
    suite: str
    metric: str
    level: float
    spread: float

    @property
    def is_timed(self) -> bool:
        """Whether slower code moves it."""
        return self.metric not in _EXACT and METRICS[self.metric].better is not None

    @property
    def sign(self) -> int:
        """1 where more is worse."""
        return -1 if METRICS[self.metric].better == "higher" else 1


def rows_make(count: int) -> list[list[Row]]:
    """`count` series as the jobs of one build that measure them.

    Raises:
        PerfsiteError: more than the catalogue holds.
    """
    every = [
        list(_job_rows(model, precision, kind))
        for model, precision, kind in product(MODELS, PRECISIONS, KINDS)
    ]
    most = sum(map(len, every))
    if not 1 <= count <= most:
        raise PerfsiteError(f"{count} series cannot be generated: the catalogue holds 1 to {most}")
    sums = list(accumulate(map(len, every)))
    jobs = max(next(place for place, total in enumerate(sums, 1) if total >= count), min(count, len(KINDS)))
    by_turns = [(place, job) for job, rows in enumerate(every[:jobs]) for place in range(len(rows))]
    chosen = sorted(by_turns)[:count]
    return [every[job][: sum(number == job for _, number in chosen)] for job in range(jobs)]


def _job_rows(model: Model, precision: str, kind: Kind) -> Iterator[Row]:
    """The series of one job, the ones people look at first coming first."""
    for batch, (runner, factor) in product(BATCHES, RUNNERS.items()):
        seconds = model.base_s * PRECISIONS[precision] * factor / kind.speed * batch**0.72
        for suite, shape, metric, level in _case_levels(model, kind, runner, batch, seconds):
            spread = 0.0 if metric in _EXACT else _WIDTH.get(metric, 0.009)
            yield Row(kind, model.name, precision, runner, shape, suite, metric, level, spread)


def _case_levels(
    model: Model, kind: Kind, runner: str, batch: int, seconds: float
) -> list[tuple[str, str, str, float]]:
    """Suite, shape, metric and level of each series of one case; `seconds` is one launch on the GPU."""
    shape, rate = f"b{batch}", batch / seconds
    rows = [
        ("latency", shape, "latency_p50", seconds * 1.08),
        ("latency", shape, "gpu_compute_time_p50", seconds),
        ("latency", shape, "latency_p99", seconds * 1.25),
        ("throughput", shape, "throughput", rate * 1.05),
        ("energy", shape, "energy_per_sample", kind.watts * seconds / batch),
        ("memory", shape, "gpu_peak_memory", model.memory * (1 + 0.08 * batch)),
    ]
    if model.tokens:
        tokens = model.tokens * batch**0.8 * kind.speed
        cached = f"{shape},cache=true"  # as the suite reports it: how it was done is part of the case
        rows.append(("generation", cached, "tokens_per_second", tokens))
        rows.append(("generation", cached, "cost_per_thousand_tokens", kind.price / 3.6 / tokens))
    if runner == "tensorrt":
        rows.append(("build", shape, "engine_build_time", 40.0 + 9e3 * model.base_s))
        rows.append(("build", shape, "engine_size", model.memory * 0.4))
    if batch == 1:
        for qps in _rates(rate):
            wait = seconds / max(0.05, 1 - qps / rate)
            rows.append(("server", f"b1,qps={qps:g}", "server_latency_p99", seconds + 2.2 * wait))
        rows.append(("server", "b1,p99_bound_ms=50", "server_qps_highest", rate * 0.83))
    return rows


def _rates(capacity: float) -> list[int]:
    """Two rates of requests below the capacity, in steps of 1, 2 and 5."""
    steps = [step * 10**power for power in range(6) for step in (1, 2, 5)]
    return [step for step in steps if step < 0.85 * capacity][-2:]
