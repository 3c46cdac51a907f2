"""Every metric, one row each: a new metric is one new row.

Units are SI: seconds, bytes, samples per second.  `relevant` is the smallest relative change worth
telling and `grain` the smallest absolute one (in the metric's unit); a change must exceed both.
`exact` metrics are counted, not timed: the same bits give the same number, so one report settles it.
A metric whose `better` is None describes the measurement and is never judged.  `samples` is how many
raw samples a value needs to be judged: below a percentile p with fewer than 10/(1 - p) samples lie
fewer than ten slower ones, and its value is little more than luck.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmarks.formats import (
    format_bytes,
    format_cost,
    format_count,
    format_joules,
    format_plain,
    format_rate,
    format_ratio,
    format_seconds,
    format_small,
)

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Metric:
    """One row: what a number means and when a change of it matters."""

    name: str
    title: str
    unit: str
    better: Better | None
    relevant: float
    grain: float
    format: Callable[[float], str]
    exact: bool = False
    samples: int = 1


_ROWS = (
    Metric("latency_p50", "Latency p50", "s", "lower", 0.03, 0.0, format_seconds),
    Metric("latency_p90", "Latency p90", "s", "lower", 0.04, 0.0, format_seconds, samples=100),
    Metric("latency_p99", "Latency p99", "s", "lower", 0.05, 0.0, format_seconds, samples=1000),
    # of results from elsewhere that tell no more than it
    Metric("latency_mean", "Latency mean", "s", "lower", 0.03, 0.0, format_seconds),
    Metric("latency_with_copies_p50", "Latency with copies p50", "s", "lower", 0.03, 0.0, format_seconds),
    Metric("gpu_compute_time_p50", "GPU compute time p50", "s", "lower", 0.005, 0.0, format_seconds),
    Metric(
        "gpu_compute_time_p99", "GPU compute time p99", "s", "lower", 0.03, 0.0, format_seconds, samples=1000
    ),
    Metric(
        "gpu_compute_time_cold_p50",
        "GPU compute time, cold cache, p50",
        "s",
        "lower",
        0.01,
        0.0,
        format_seconds,
    ),
    Metric("cpu_time_p50", "Processor time p50", "s", "lower", 0.03, 0.0, format_seconds),
    Metric("latency_cv", "Latency spread (CV)", "1", None, 0.0, 0.0, format_ratio),
    Metric("gpu_compute_time_cv", "GPU compute time spread (CV)", "1", None, 0.0, 0.0, format_ratio),
    Metric("throughput", "Throughput", "1/s", "higher", 0.03, 0.0, format_rate),
    Metric("throughput_best", "Highest throughput of any batch", "1/s", "higher", 0.03, 0.0, format_rate),
    Metric("best_batch", "Smallest batch within 5 %", "1", None, 0.0, 0.0, format_count),
    Metric("cost_per_million_samples", "Cost per million samples", "1", "lower", 0.03, 0.0, format_cost),
    # a server under load
    Metric(
        "server_latency_mean", "Server latency mean", "s", "lower", 0.05, 0.0, format_seconds, samples=100
    ),
    Metric("server_latency_p99", "Server latency p99", "s", "lower", 0.10, 0.0, format_seconds, samples=1000),
    Metric("server_error_rate", "Server error rate", "1", "lower", 0.0, 0.001, format_ratio),
    Metric("server_qps_highest", "Highest QPS within the p99 bound", "1/s", "higher", 0.05, 0.0, format_rate),
    Metric("server_qps", "Achieved QPS", "1/s", None, 0.0, 0.0, format_rate),
    Metric("server_queue_depth", "Queue depth mean", "1", None, 0.0, 0.0, format_plain),
    Metric("server_batch", "Requests run at once, mean", "1", None, 0.0, 0.0, format_plain),
    # sharing a device
    Metric("concurrency_slowdown", "Slowdown against one", "1", "lower", 0.05, 0.0, format_plain),
    Metric("concurrency_throughput", "Throughput of all copies", "1/s", "higher", 0.05, 0.0, format_rate),
    Metric("mixed_completion_time", "Completion time of both", "s", "lower", 0.05, 0.0, format_seconds),
    Metric("mixed_slowdown", "Slowdown of this model", "1", "lower", 0.05, 0.0, format_plain),
    Metric("mixed_slowdown_other", "Slowdown of the other model", "1", "lower", 0.05, 0.0, format_plain),
    Metric("mixed_overhead", "Scheduling overhead", "s", None, 0.0, 0.0, format_seconds),
    # memory, each kind by the one who counts it.  Allocators grow by steps: 1 MiB and more in
    # onnxruntime's arena and in glibc's heap
    Metric("host_peak_memory", "Host peak memory", "B", "lower", 0.03, 2.0**22, format_bytes),
    Metric("gpu_peak_memory", "GPU peak memory (NVML, process)", "B", "lower", 0.01, 2.0**21, format_bytes),
    Metric("gpu_context_memory", "CUDA context (NVML, process)", "B", None, 0.0, 0.0, format_bytes),
    Metric("gpu_allocated_peak", "GPU peak allocated (torch)", "B", "lower", 0.005, 2.0**16, format_bytes),
    Metric("gpu_reserved_peak", "GPU peak reserved (torch)", "B", "lower", 0.01, 2.0**21, format_bytes),
    Metric("engine_context_memory", "Engine and context memory", "B", "lower", 0.005, 4096.0, format_bytes),
    Metric("gpu_fragmentation", "GPU memory reserved and unused", "1", None, 0.0, 0.0, format_ratio),
    # timed besides, in a part of the duration: judged only where that was long enough
    Metric(
        "samples_per_mebibyte",
        "Samples per second and MiB",
        "1/s",
        "higher",
        0.05,
        0.0,
        format_plain,
        samples=100,
    ),
    # what is decided before the first request
    Metric("parameter_count", "Parameters", "1", "lower", 0.0, 0.0, format_count, exact=True),
    Metric("model_size", "ONNX size", "B", "lower", 0.0, 4096.0, format_bytes, exact=True),
    # timed once a job: only what a person would notice counts
    Metric("export_time", "Export time", "s", "lower", 0.25, 1.0, format_seconds),
    Metric("load_time", "Load time", "s", "lower", 0.25, 0.1, format_seconds),
    Metric("engine_build_success", "Engine build success", "1", "higher", 0.0, 0.0, format_count, exact=True),
    Metric("engine_build_time", "Engine build time", "s", "lower", 0.25, 1.0, format_seconds),
    Metric("engine_size", "Engine size", "B", "lower", 0.005, 4096.0, format_bytes),
    Metric("engine_layers", "Engine layers", "1", None, 0.0, 0.0, format_count),
    Metric("rebuild_time_spread", "Build-to-build spread of GPU time", "1", None, 0.0, 0.0, format_ratio),
    Metric("rebuild_size_spread", "Build-to-build spread of engine size", "1", None, 0.0, 0.0, format_ratio),
    Metric("cold_start_time", "Start to first answer", "s", "lower", 0.10, 0.1, format_seconds),
    Metric("libraries_time", "Start to libraries ready", "s", "lower", 0.25, 0.1, format_seconds),
    Metric("eager_load_time", "Eager load", "s", "lower", 0.25, 0.1, format_seconds),
    Metric("lazy_load_time", "Lazy load", "s", "lower", 0.25, 0.1, format_seconds),
    Metric("cached_load_time", "Cached load", "s", "lower", 0.25, 0.1, format_seconds),
    Metric("first_inference_time", "First inference", "s", "lower", 0.25, 0.05, format_seconds),
    Metric("hot_update_time", "Hot update", "s", "lower", 0.25, 0.05, format_seconds),
    Metric("loaded_bytes", "Bytes read to load", "B", "lower", 0.01, 4096.0, format_bytes),
    Metric("recovery_time", "Recovery after a kill", "s", "lower", 0.25, 0.1, format_seconds),
    # hours
    Metric("leaks", "Counters that leak", "1", "lower", 0.0, 0.0, format_count, exact=True),
    Metric("leak_host_heap", "Host heap leak per iteration", "B", None, 0.0, 0.0, format_bytes),
    Metric("leak_host_resident", "Host resident leak per iteration", "B", None, 0.0, 0.0, format_bytes),
    Metric("leak_python_objects", "Python objects leak per iteration", "1", None, 0.0, 0.0, format_plain),
    Metric("leak_gpu_allocated", "GPU allocated leak per iteration", "B", None, 0.0, 0.0, format_bytes),
    Metric("leak_gpu_process", "GPU process leak per iteration", "B", None, 0.0, 0.0, format_bytes),
    Metric("time_to_out_of_memory", "Time to out-of-memory", "s", None, 0.0, 0.0, format_seconds),
    Metric("soak_drift", "Throughput drift", "1", None, 0.0, 0.0, format_ratio),
    Metric("soak_iterations", "Soak iterations", "1", None, 0.0, 0.0, format_count),
    Metric("soak_temperature", "Soak temperature, highest", "°C", None, 0.0, 0.0, format_plain),
    Metric("soak_power", "Soak power, mean", "W", None, 0.0, 0.0, format_plain),
    Metric("energy_per_sample", "Energy per sample", "J", "lower", 0.03, 0.0, format_joules),
    Metric("samples_per_joule", "Samples per joule", "1/J", "higher", 0.03, 0.0, format_plain),
    Metric("energy_per_sample_net", "Energy per sample above idle", "J", "lower", 0.05, 0.0, format_joules),
    Metric("idle_power", "Idle power", "W", None, 0.0, 0.0, format_plain),
    # decoders
    Metric("time_to_first_token", "Time to first token", "s", "lower", 0.03, 0.0, format_seconds),
    Metric("inter_token_latency_p50", "Inter-token latency p50", "s", "lower", 0.03, 0.0, format_seconds),
    Metric(
        "inter_token_latency_p99",
        "Inter-token latency p99",
        "s",
        "lower",
        0.05,
        0.0,
        format_seconds,
        samples=1000,
    ),
    Metric("tokens_per_second", "Tokens per second", "1/s", "higher", 0.03, 0.0, format_rate),
    Metric("tokens_per_mebibyte", "Tokens per second and MiB", "1/s", "higher", 0.05, 0.0, format_plain),
    Metric(
        "prefix_first_token", "Time to first token, prefix reused", "s", "lower", 0.05, 0.0, format_seconds
    ),
    Metric("prefix_hit_rate", "Prefix hit rate", "1", None, 0.0, 0.0, format_ratio),
    Metric("cost_per_thousand_tokens", "Cost per 1,000 tokens", "1", "lower", 0.03, 0.0, format_cost),
    Metric("sweep_largest", "Largest size that ran", "1", "higher", 0.0, 0.0, format_count),
    Metric("scaling_speedup", "Speed-up against one GPU", "1", "higher", 0.03, 0.0, format_plain),
    Metric("scaling_efficiency", "Scaling efficiency", "1", "higher", 0.03, 0.0, format_ratio),
    # what it computes
    Metric("accuracy_cosine_distance", "Cosine distance to fp32", "1", "lower", 0.10, 1e-6, format_small),
    Metric("accuracy_max_abs", "Largest difference to fp32", "1", "lower", 0.10, 1e-6, format_small),
    Metric("accuracy_top1", "Top-1 agreement with fp32", "1", "higher", 0.0, 0.005, format_ratio),
    Metric("cpu_utilisation", "CPU utilisation", "1", None, 0.0, 0.0, format_ratio),
    Metric("gpu_utilisation", "GPU utilisation", "1", None, 0.0, 0.0, format_ratio),
)

METRICS: dict[str, Metric] = {row.name: row for row in _ROWS}


EVALUATE = "evaluate"
_EVALUATE_RELEVANT = 0.005


def evaluate_metric(name: str, *, better: Better) -> str:
    """The metric's name of what a repository's own `evaluate` calls `name`; it says its direction.

    Raises:
        ValueError: `name` has other signs than letters, digits, `_` and `-`, or more than 40.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", name):
        raise ValueError(
            f"{name!r} cannot name a metric: 1 to 40 letters, digits, '_' and '-', a letter or digit first"
        )
    return f"{EVALUATE}.{better}.{name}"


def metric_get(name: str) -> Metric:
    """The row called `name`, or the row of a repository's own metric, `evaluate.DIRECTION.NAME`.

    Raises:
        ValueError: there is no such metric; the message lists the known ones.
    """
    if name in METRICS:
        return METRICS[name]
    room, _, rest = name.partition(".")
    better, _, own = rest.partition(".")
    if room == EVALUATE and better in ("lower", "higher"):
        evaluate_metric(own, better=better)  # type: ignore[arg-type]
        return Metric(name, own, "1", better, _EVALUATE_RELEVANT, 0.0, format_small)  # type: ignore[arg-type]
    raise ValueError(f"unknown metric {name!r}; known: {', '.join(METRICS)}")
