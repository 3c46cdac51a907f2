"""A call in a process of its own: its answer, its errors, its end, and the memory it is charged."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
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


class Stubborn(Exception):  # noqa: N818
    """Pickles, and does not come back."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def refuse_stubbornly() -> None:
    raise Stubborn("not", "here")


def pid_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def variable(name: str) -> str | None:
    return os.environ.get(name)


def modules() -> set[str]:
    return set(sys.modules)


METHODS = pytest.mark.parametrize("method", ["fork", "spawn"])


@METHODS
def test_the_answer_comes_back(method):
    assert isolated(double, 21, method=method) == 42


@METHODS
def test_an_error_is_raised_here(method):
    with pytest.raises(CannotRun, match="not here"):
        isolated(refuse, method=method)


@METHODS
def test_an_error_that_does_not_pickle_keeps_its_words(method):
    with pytest.raises(MeasureError, match="Stubborn: not here"):
        isolated(refuse_stubbornly, method=method)


@METHODS
def test_a_killed_child_is_an_error_not_a_wait(method):
    with pytest.raises(MeasureError, match="exit code -9"):
        isolated(die, method=method)


@METHODS
def test_the_parent_works_meanwhile(method):
    seen: list[int] = []
    child = isolated(pid_after, 0.3, method=method, meanwhile=seen.append, every_s=0.01)
    assert set(seen) == {child}
    assert len(seen) >= 5
    assert child != os.getpid()


@METHODS
def test_a_parent_that_fails_meanwhile_leaves_no_child_behind(method):
    seen: list[int] = []

    def fail(pid: int) -> None:
        seen.append(pid)
        raise RuntimeError("no more")

    started = time.perf_counter()
    with pytest.raises(RuntimeError, match="no more"):
        isolated(pid_after, 60, method=method, meanwhile=fail)
    assert time.perf_counter() - started < 30
    assert not psutil.pid_exists(seen[0])


def test_a_spawned_child_gets_variables_and_only_the_modules_of_its_call():
    name = "PERFSITE_TEST_VARIABLE"
    assert isolated(variable, name, method="spawn", environment={name: "told"}) == "told"
    assert name not in os.environ
    # this module's own imports are there, pytest's main program is not
    assert "_pytest.main" in sys.modules
    assert "torch" not in isolated(modules, method="spawn")


def test_what_does_not_pickle_is_refused_before_anything_waits():
    with pytest.raises((AttributeError, TypeError), match=r"pickle|local object"):
        isolated(lambda: None, method="spawn")


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
