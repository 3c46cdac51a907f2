"""Suite `latency`: single stream, one request after the other.

On a GPU two things are timed, each by its own clock: what the GPU computes, by events on the
runner's stream around replays of a CUDA graph, and what a caller waits, by the host's clock.
"""

from __future__ import annotations

import importlib

from benchmarks.models.arrays import arrays_batched
from benchmarks.runners.base import Runner
from benchmarks.stability import TAIL_RATIO, gpu_warm_up_remark, held_back_remark, timing_remarks
from benchmarks.stats import percentile, variation
from benchmarks.suites.base import Bench, Findings, runner_of
from benchmarks.suites.capturing import capture_try
from benchmarks.timing import latency_time

HOST_SHARE = 0.5  # of the duration on a GPU; the GPU's own time takes the other half
COPIES_SHARE = 0.2


def latency_measure(bench: Bench) -> Findings:
    """Percentiles of the time from submit to result and of the GPU's time, in seconds."""
    runner = runner_of(bench)
    findings = Findings(bench.case)
    if runner.stream is None:
        _host_measure(bench, runner, findings, bench.case.duration_s)
        return findings
    capture_try(runner, findings)
    _gpu_measure(bench, runner, findings)
    _host_measure(bench, runner, findings, bench.case.duration_s * HOST_SHARE)
    if bench.assets.example:
        _copies_measure(bench, runner, findings)
    return findings


def _gpu_measure(bench: Bench, runner: Runner, findings: Findings) -> None:
    # torch: only where there is a GPU to time
    timing = importlib.import_module("benchmarks.gpu.timing").gpu_time(
        runner, bench.case.duration_s * (1 - HOST_SHARE), bench.gauge
    )
    findings.add("gpu_compute_time_p50", percentile(timing.warm, 0.50), timing.warm)
    findings.add("gpu_compute_time_p99", percentile(timing.single, 0.99), timing.single)
    findings.add("gpu_compute_time_cold_p50", percentile(timing.cold, 0.50), timing.cold)
    findings.add("gpu_compute_time_cv", variation(timing.warm))
    held_back_remark(findings, timing.dropped, timing.warm.size + timing.dropped, kept=timing.kept)
    gpu_warm_up_remark(findings, stable=timing.stable)
    p50, p99 = percentile(timing.single, 0.50).value, percentile(timing.single, 0.99).value
    if p99 > TAIL_RATIO * p50:
        findings.remark(
            "gpu-long-tail",
            f"on the GPU p99 is {p99 / p50:.1f} times p50: something else ran there at times; "
            "keep other processes off a GPU that measures",
        )


def _host_measure(bench: Bench, runner: Runner, findings: Findings, duration_s: float) -> None:
    timing = latency_time(runner.infer, duration_s, bench.assets.threads)
    findings.add("latency_p50", percentile(timing.samples, 0.50), timing.samples)
    findings.add("latency_p90", percentile(timing.samples, 0.90), timing.samples)
    findings.add("latency_p99", percentile(timing.samples, 0.99), timing.samples)
    if bench.assets.device == "cpu":  # beside a GPU it would be the time of waiting for it
        findings.add("cpu_time_p50", percentile(timing.processor, 0.50), timing.processor)
    findings.add("latency_cv", variation(timing.samples))
    findings.add("cpu_utilisation", timing.own_share)
    timing_remarks(findings, timing)


def _copies_measure(bench: Bench, runner: Runner, findings: Findings) -> None:
    """From inputs in host memory to outputs in host memory."""
    arrays = arrays_batched(bench.assets.example, bench.case.batch)

    def request() -> None:
        runner.feed(arrays)
        runner.submit()
        runner.outputs()

    timing = latency_time(request, bench.case.duration_s * COPIES_SHARE, bench.assets.threads)
    findings.add("latency_with_copies_p50", percentile(timing.samples, 0.50), timing.samples)
