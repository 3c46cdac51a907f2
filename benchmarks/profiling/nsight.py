"""Nsight Systems around a few inferences, in a process of its own."""

from __future__ import annotations

import importlib
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.runners.base import Assets
from benchmarks.runners.table import runner_open

TIMEOUT_S = 240.0
PASSES = 10
WARM = 3


def nsight_found() -> str | None:
    """Where `nsys` is; None where it is not installed."""
    return shutil.which("nsys")


def nsight_record(runner: str, assets: Assets, batch: int, folder: Path) -> Path:
    """A trace of a few inferences; only those between start and stop of CUDA's profiler are in it.

    Raises:
        OSError: nsys failed, took longer than four minutes or left no file; the message has its words.
    """
    order, target = folder / "nsight.order", folder / "trace.nsys-rep"
    order.write_bytes(pickle.dumps((runner, assets, batch)))
    command = [
        nsight_found() or "nsys",
        "profile",
        "--output",
        str(target.with_suffix("")),
        "--force-overwrite=true",
        "--trace=cuda,nvtx",
        "--sample=none",
        "--cpuctxsw=none",
        "--capture-range=cudaProfilerApi",
        "--capture-range-end=stop",
        sys.executable,
        "-m",
        "benchmarks.profiling.nsight",
        str(order),
    ]
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    try:
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"nsys took longer than {TIMEOUT_S:g} s and was ended") from error
    if ran.returncode or not target.is_file():
        told = (ran.stderr or ran.stdout).strip().splitlines()[-3:]
        raise OSError(
            f"nsys left no trace (exit code {ran.returncode}): {' '.join(told) or 'it said nothing'}"
        )
    return target


def order_run(order: Path) -> None:
    """What nsys runs: the runner, warmed up, then profiled."""
    runner_name, assets, batch = pickle.loads(order.read_bytes())  # noqa: S301 - our own bytes
    cuda = importlib.import_module("torch.cuda")  # whatever runs on a GPU here has its buffers from torch
    with runner_open(runner_name, assets) as runner:
        runner.bind(batch)
        for _ in range(WARM):
            runner.infer()
        cuda.profiler.start()
        for place in range(PASSES):
            cuda.nvtx.range_push(f"inference {place}")
            runner.infer()
            cuda.nvtx.range_pop()
        cuda.profiler.stop()


if __name__ == "__main__":
    order_run(Path(sys.argv[1]))
