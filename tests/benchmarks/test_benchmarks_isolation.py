"""A call in a process of its own: its answer, its errors, its end, and the memory it is charged."""

import os
import signal
import sys
import threading
import time

import numpy as np
import psutil
import pytest

from benchmarks.errors import CannotRun, MeasureError
from benchmarks.isolation import isolated
from benchmarks.memory import (
    allocator_fix,
    library_bytes,
    memory_trim,
    peak_bytes,
    peak_reset,
    resident_bytes,
)
from benchmarks.nursery import Nursery

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


def unspeakable() -> object:
    return threading.Lock()


def left_running() -> str:
    threading.Thread(target=time.sleep, args=(600,)).start()
    return "answered"


def pid_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def variable(name: str) -> str | None:
    return os.environ.get(name)


def modules() -> set[str]:
    return set(sys.modules)


@pytest.fixture(params=["nursery", "fresh"])
def nursery(request):
    """A nursery, or none: then the child is a fresh interpreter."""
    if request.param == "fresh":
        yield None
        return
    nursery = Nursery()
    yield nursery
    nursery.close()


def test_the_answer_comes_back(nursery):
    assert isolated(double, 21, nursery=nursery) == 42


def test_an_error_is_raised_here(nursery):
    with pytest.raises(CannotRun, match="not here"):
        isolated(refuse, nursery=nursery)


def test_an_error_that_does_not_pickle_keeps_its_words(nursery):
    with pytest.raises(MeasureError, match="Stubborn: not here"):
        isolated(refuse_stubbornly, nursery=nursery)


def test_an_answer_that_does_not_pickle_is_an_error(nursery):
    with pytest.raises(Exception, match="pickle"):
        isolated(unspeakable, nursery=nursery)


def test_a_killed_child_is_an_error_not_a_wait_and_the_next_call_is_answered(nursery):
    with pytest.raises(MeasureError, match="exit code -9"):
        isolated(die, nursery=nursery)
    with pytest.raises(MeasureError, match="exit code 3"):
        isolated(sys.exit, 3, nursery=nursery)
    assert isolated(double, 2, nursery=nursery) == 4


def test_the_parent_works_meanwhile(nursery):
    seen: list[int] = []
    child = isolated(pid_after, 0.3, nursery=nursery, meanwhile=seen.append, every_s=0.01)
    assert set(seen) == {child}
    assert len(seen) >= 5
    assert child != os.getpid()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_parent_that_fails_meanwhile_leaves_no_child_behind(nursery, error):
    seen: list[int] = []

    def fail(pid: int) -> None:
        seen.append(pid)
        raise error("no more")

    started = time.perf_counter()
    with pytest.raises(error, match="no more"):
        isolated(pid_after, 60, nursery=nursery, meanwhile=fail)
    assert time.perf_counter() - started < 200
    assert not psutil.pid_exists(seen[0])
    assert isolated(double, 2, nursery=nursery) == 4


def test_a_thread_that_the_call_left_running_holds_nobody_up(nursery):
    started = time.monotonic()
    assert isolated(left_running, nursery=nursery) == "answered"
    assert time.monotonic() - started < 200


def test_a_large_call_and_answer_pass(nursery):
    numbers = np.arange(3_000_000)
    assert np.array_equal(isolated(np.negative, numbers, nursery=nursery), -numbers)


def test_what_does_not_pickle_is_refused_before_anything_waits(nursery):
    with pytest.raises((AttributeError, TypeError), match=r"pickle|local object"):
        isolated(lambda: None, nursery=nursery)
    assert isolated(double, 2, nursery=nursery) == 4


def test_a_fresh_child_gets_variables_and_only_the_modules_of_its_call():
    name = "PERFSITE_TEST_VARIABLE"
    assert isolated(variable, name, environment={name: "told"}) == "told"
    assert name not in os.environ
    # this module's own imports are there, pytest's main program is not
    assert "_pytest.main" in sys.modules
    assert "torch" not in isolated(modules)


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
def test_the_peak_counts_what_was_given_back_too(nursery):
    found = isolated(peak_of, 40 * MEBIBYTE, 24 * MEBIBYTE, nursery=nursery)
    assert found == pytest.approx(64 * MEBIBYTE, abs=MEBIBYTE)


@linux_only
def test_equal_calls_have_equal_peaks(nursery):
    found = {isolated(peak_of, 3 * MEBIBYTE, MEBIBYTE, nursery=nursery) for _ in range(5)}
    assert max(found) - min(found) < MEBIBYTE / 4
