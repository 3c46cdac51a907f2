"""Bound runners made ready: a CUDA graph where the runner and the model allow one, else a remark."""

from __future__ import annotations

from benchmarks.errors import CannotCapture
from benchmarks.runners.base import Runner
from benchmarks.suites.base import Findings


def capture_try(runner: Runner, findings: Findings) -> None:
    """Record the bound inference where there is a GPU; why not is remarked once a case.

    Raises:
        CannotCapture: the GPU's memory is too small for it; no remedy of the model's.
    """
    if runner.stream is None:
        return
    try:
        runner.capture()
    except CannotCapture as error:
        if is_out_of_memory(error):
            raise
        if not any(remark.code == "no-graph" for remark in findings.remarks):
            findings.remark(
                "no-graph",
                f"{error}; without a CUDA graph the host submits each kernel, these numbers are partly the "
                "host's, and the GPU's time varies by some 20 % from process to process: let the model run "
                "without waiting for the GPU",
            )


_OUT_OF_MEMORY = (
    "out of memory",
    "outofmemory",
    "bad_alloc",
    "allocate memory",
    "smaller than requested bytes",  # onnxruntime's arena
)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether the error, or one it came from, says that memory ran out, in a library's own words."""
    while error is not None:
        words = f"{type(error).__name__}: {error}".lower()
        if isinstance(error, MemoryError) or any(sign in words for sign in _OUT_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False
