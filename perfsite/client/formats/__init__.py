"""The formats that `perfsite push` reads: one small module and one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perfsite.client.formats import asv, google_benchmark, own, perf_analyzer, pytest_benchmark, trtexec
from perfsite.client.measured import Reading


@dataclass(frozen=True)
class Format:
    """How a file is read: `read(text, name)`, where `name` is what the file itself does not tell."""

    read: Callable[[str, str], Reading]
    what: str


FORMATS: dict[str, Format] = {
    "own": Format(own.read, "`python -m benchmarks run --json`"),
    "pytest-benchmark": Format(pytest_benchmark.read, "`pytest --benchmark-json FILE`"),
    "google-benchmark": Format(google_benchmark.read, "`--benchmark_out=FILE --benchmark_out_format=json`"),
    "trtexec": Format(trtexec.read, "`trtexec --exportTimes=FILE`; the model's name by --name"),
    "perf-analyzer": Format(perf_analyzer.read, "`perf_analyzer -f FILE`; the model's name by --name"),
    "asv": Format(asv.read, "one file of asv's results folder, `results/MACHINE/COMMIT-*.json`"),
}
