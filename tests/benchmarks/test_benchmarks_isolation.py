"""A call in a process of its own: its answer, its errors, its end, and the memory it is charged."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.errors import CannotRun, MeasureError
from benchmarks.isolation import isolated, native_thread_count
from benchmarks.memory import (
    allocator_fix,
    library_bytes,
    memory_trim,
    peak_bytes,
    peak_reset,
    resident_bytes,
)

ROOT = Path(__file__).resolve().parents[2]
MEBIBYTE = 2**20
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's proc")


def double(value: int) -> int:
    return value * 2


def refuse() -> None:
    raise CannotRun("not here")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_answer_comes_back(method):
    assert isolated(double, 21, method=method) == 42


def test_an_error_is_raised_here():
    with pytest.raises(CannotRun, match="not here"):
        isolated(refuse, method="fork")


def test_a_killed_child_is_an_error_not_a_wait():
    with pytest.raises(MeasureError, match="exit code -9"):
        isolated(die, method="fork")


def peak_of(held: int, passing: int) -> int:
    """Bytes above the start after allocating both and giving the second back."""
    library_bytes()
    allocator_fix()
    memory_trim()
    peak_reset()
    before = resident_bytes() - library_bytes()
    kept = np.ones(held, dtype=np.uint8)
    np.ones(passing, dtype=np.uint8)
    found = peak_bytes() - library_bytes() - before
    assert kept.size == held
    return found


@linux_only
def test_the_peak_counts_what_was_given_back_too():
    found = isolated(peak_of, 40 * MEBIBYTE, 24 * MEBIBYTE, method="fork")
    assert found == pytest.approx(64 * MEBIBYTE, abs=MEBIBYTE)


@linux_only
def test_equal_calls_have_equal_peaks():
    found = {isolated(peak_of, 3 * MEBIBYTE, MEBIBYTE, method="fork") for _ in range(5)}
    assert max(found) - min(found) < MEBIBYTE / 4


@linux_only
def test_openmp_threads_are_counted_and_pythons_are_not():
    code = """
import threading, torch
from benchmarks.isolation import native_thread_count
torch.set_num_threads(2)
before = native_thread_count()
event = threading.Event()
thread = threading.Thread(target=event.wait)
thread.start()
print(native_thread_count() - before)
event.set()
thread.join()
torch.ones(1_000_000).exp_()
print(native_thread_count() - before)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    python, native = (int(line) for line in answer.stdout.split())
    assert python == 0
    assert native >= 1
    assert native_thread_count() >= 1
