"""Bound runners made ready: a CUDA graph where the runner and the model allow one, else a remark."""

from __future__ import annotations

from benchmarks.errors import CannotCapture, is_out_of_memory
from benchmarks.runners.base import Runner
from benchmarks.suites.base import Findings

__all__ = ["capture_reason", "capture_try", "is_out_of_memory"]


SLOWER = (
    "the host submits each kernel, these numbers are partly the host's, and the GPU's time varies by some "
    "20 % from process to process"
)


def capture_reason(runner: Runner) -> str:
    """Record the bound inference where there is a GPU; why that does not work, empty where it does.

    Raises:
        CannotCapture: the GPU's memory is too small for it; no remedy of the model's.
    """
    if runner.stream is None:
        return ""
    try:
        runner.capture()
    except CannotCapture as error:
        if is_out_of_memory(error):
            raise
        return str(error)
    return ""


def capture_try(runner: Runner, findings: Findings, consequence: str = SLOWER) -> None:
    """The same; why not is remarked once a case, with its consequence for what is measured.

    Raises:
        CannotCapture: the GPU's memory is too small for it.
    """
    reason = capture_reason(runner)
    if reason and not any(remark.code == "no-graph" for remark in findings.remarks):
        findings.remark(
            "no-graph",
            f"{reason}; without a CUDA graph {consequence}: let the model run without waiting for the GPU",
        )
