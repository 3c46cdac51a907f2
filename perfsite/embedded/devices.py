"""What this machine can measure on, and which processors that leaves for the site."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys


def gpu_uuids() -> list[str]:
    """The UUIDs of this machine's NVIDIA GPUs, by the driver's own tool; none without a driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    answer = subprocess.run(
        [tool, "--query-gpu=uuid", "--format=csv,noheader"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return [line.strip() for line in answer.stdout.splitlines() if line.startswith("GPU-")]


def site_cores(*, measures_on_cpu: bool) -> frozenset[int]:
    """The processors the site keeps to: the first one alone when a worker measures on the others.

    Empty where there is nothing to divide: one processor, or a system without affinity.
    """
    if sys.platform != "linux" or not measures_on_cpu:
        return frozenset()
    cores = sorted(os.sched_getaffinity(0))
    return frozenset(cores[:1]) if len(cores) > 1 else frozenset()
