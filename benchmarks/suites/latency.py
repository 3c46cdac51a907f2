"""Suite `latency`: single stream, one request after the other, host clock around each."""

from __future__ import annotations

from benchmarks.stability import timing_remarks
from benchmarks.stats import percentile, variation
from benchmarks.suites.base import Bench, Findings, runner_of
from benchmarks.timing import latency_time


def latency_measure(bench: Bench) -> Findings:
    """Percentiles of the time from submit to result, in seconds, copies left out."""
    timing = latency_time(runner_of(bench).infer, bench.case.duration_s, bench.assets.threads)
    findings = Findings(bench.case)
    findings.add("latency_p50", percentile(timing.samples, 0.50), timing.samples)
    findings.add("latency_p90", percentile(timing.samples, 0.90), timing.samples)
    findings.add("latency_p99", percentile(timing.samples, 0.99), timing.samples)
    if bench.assets.device == "cpu":  # beside a GPU it would be the time of waiting for it
        findings.add("cpu_time_p50", percentile(timing.processor, 0.50), timing.processor)
    findings.add("latency_cv", variation(timing.samples))
    findings.add("cpu_utilisation", timing.own_share)
    timing_remarks(findings, timing)
    return findings
