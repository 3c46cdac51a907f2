"""The nursery: children without what the job's process has besides, and nothing of it left over."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks import nursery as room
from benchmarks.case_runner import _processor_seconds
from benchmarks.errors import MeasureError
from benchmarks.isolation import isolated, process_family
from benchmarks.nursery import Nursery, nursery_open

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a nursery needs Linux")

ROOT = Path(__file__).resolve().parents[2]
OPENMP = "torch.set_num_threads(3); torch.randn(512, 512) @ torch.randn(512, 512)"
JOB = """
import sys, time, threading
from pathlib import Path
import numpy
from benchmarks.isolation import isolated
from benchmarks.nursery import nursery_open

def product(threads):
    import torch
    torch.set_num_threads(threads)
    return float((torch.ones(512, 512) @ torch.ones(512, 512)).exp_().sum())

def imports():
    import scipy.linalg, onnxruntime, torch  # OpenBLAS and onnxruntime start threads
"""


@pytest.fixture
def nursery():
    with contextlib.closing(Nursery()) as nursery:
        yield nursery


def double(value: int) -> int:
    return value * 2


def is_imported(name: str) -> bool:
    return name in sys.modules


def burn(seconds: float) -> None:
    while time.process_time() < seconds:
        pass


def inherited() -> tuple[int, int, list[str]]:
    """The signals that are blocked, the handler of SIGTERM, and pipes beside the standard streams."""
    pipes = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the folder's own is closed meanwhile
            if int(entry.name) > 2 and str(entry.readlink()).startswith("pipe:"):
                pipes.append(entry.name)
    return len(signal.pthread_sigmask(signal.SIG_BLOCK, ())), signal.getsignal(signal.SIGTERM), pipes


def python(code: str, **more) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", JOB + code], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


def said(code: str) -> list[str]:
    job = python(code)
    out, err = job.communicate(timeout=280)
    assert job.returncode == 0, err
    return out.split("\n")[:-1]


def gone(pids: list[int]) -> bool:
    """Whether they end; a dead one that nobody awaits has ended too."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_children_compute_after_openmp_ran_in_the_job():
    code = f"""
with nursery_open(imports) as nursery:
    import torch
    {OPENMP}
    print([isolated(product, threads, nursery=nursery) for threads in (1, 2)] == [product(2)] * 2)
"""
    assert said(code) == ["True"]


def test_native_threads_of_an_earlier_job_forbid_it_and_pythons_do_not():
    code = f"""
def told():
    with nursery_open(imports) as nursery:
        print(nursery is not None and isolated(product, 2, nursery=nursery) == product(1))
told()
told()  # the threads that its own imports started do not forbid it
threading.Thread(target=threading.Event().wait, daemon=True).start()
told()
import torch
{OPENMP}
told()
"""
    assert said(code) == ["True", "True", "True", "False"]


def test_cuda_forbids_it_and_what_imports_start_does_not(monkeypatch):
    monkeypatch.setattr(room, "native_threads", set)
    with nursery_open(lambda: None) as nursery:
        assert nursery is not None
    monkeypatch.setattr(room, "cuda_started", lambda: True)
    with nursery_open(lambda: None) as nursery:
        assert nursery is None


def test_fifty_calls_leave_no_descriptor_and_no_process(nursery):
    isolated(double, 1, nursery=nursery)
    here, there = psutil.Process(), psutil.Process(nursery.pid)
    before = here.num_fds(), there.num_fds()
    for number in range(50):
        assert isolated(double, number, nursery=nursery) == 2 * number
    assert (here.num_fds(), there.num_fds()) == before
    assert there.children() == []
    nursery.close()
    assert not psutil.pid_exists(nursery.pid)


def test_a_child_has_the_jobs_streams_and_none_of_its_pipes():
    read, write = os.pipe()
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with contextlib.closing(Nursery()) as nursery:
            os.close(write)
            assert os.read(read, 1) == b"", "the end of a pipe is seen while the nursery lives"
            assert isolated(inherited, nursery=nursery) == (0, signal.SIG_DFL, [])
    finally:
        signal.signal(signal.SIGTERM, before)
        os.close(read)


def test_a_child_is_family(nursery):
    family: list[set[int]] = []
    seen: list[int] = []

    def look(pid: int) -> None:
        seen.append(pid)
        family.append(process_family())

    isolated(time.sleep, 0.2, nursery=nursery, meanwhile=look)
    assert {seen[0], nursery.pid} <= family[0]


def test_a_second_child_at_the_same_time_is_a_fresh_interpreter(nursery):
    answers: list[int] = []

    def call(_pid: int) -> None:
        if not answers:
            answers.append(isolated(double, 4, nursery=nursery))

    isolated(time.sleep, 0.1, nursery=nursery, meanwhile=call)
    assert answers == [8]


def test_without_its_zygote_a_call_is_answered_by_a_fresh_interpreter(nursery):
    with pytest.raises(MeasureError, match="exit code -9"):
        isolated(time.sleep, 60, nursery=nursery, meanwhile=lambda _: os.kill(nursery.pid, signal.SIGKILL))
    assert isolated(double, 4, nursery=nursery) == 8
    assert nursery.fork() is None


def test_the_processor_time_of_children_is_counted_once(nursery):
    before = _processor_seconds(nursery)
    isolated(burn, 0.5, nursery=nursery)
    assert _processor_seconds(nursery) - before == pytest.approx(0.5, abs=0.4)  # twice would be 1.0
    nursery.close()
    assert _processor_seconds(nursery) - before == pytest.approx(0.5, abs=0.4)


def test_modules_are_imported_before_the_call(nursery):
    nursery.imports_add(["no.such.module", "colorsys"])
    assert isolated(is_imported, "colorsys", nursery=nursery)


# what runs in a shell's background is born deaf to Ctrl-C, and so are its children
LONG = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
with nursery_open(lambda: None) as nursery:
    isolated(time.sleep, 600, nursery=nursery, meanwhile=lambda pid: print(pid, nursery.pid, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_killed_job(number):
    """The signal goes to the whole group, as Ctrl-C on a terminal does."""
    job = python(LONG, start_new_session=True)
    pids = [int(word) for word in job.stdout.readline().split()]
    assert len(pids) == 2
    os.killpg(job.pid, number)
    _, err = job.communicate(timeout=200)
    assert gone(pids)
    assert err.count("Traceback") == (1 if number == signal.SIGINT else 0), err
    assert "zygote" not in err


def test_nothing_outlives_a_worker_that_was_killed():
    """The job's own parent dies, and with it the job."""
    code = f"""
import os, signal
from benchmarks.child import die_with_parent
worker = os.getpid()
if os.fork() == 0:
    die_with_parent(worker)
{LONG.replace(chr(10), chr(10) + "    ")}
time.sleep(600)
"""
    worker = python(code)
    pids = [int(word) for word in worker.stdout.readline().split()]
    worker.kill()
    worker.communicate(timeout=200)  # returns when nobody holds its output any more
    assert gone(pids)


def test_what_waits_to_be_written_is_written_once():
    code = """
sys.stdout.write("once ")
with nursery_open(imports) as nursery:
    for word in "two", "three":
        isolated(print, word, nursery=nursery)
"""
    assert said(code) == ["once two", "three"]


def test_a_models_own_imports_are_not_its_memory(tmp_path):
    """An entry point that builds on transformers, whose import takes more than 100 MiB."""
    (tmp_path / "net.py").write_text(
        "from benchmarks.models.text import tiny_bert_build\ndef build():\n    return tiny_bert_build()\n"
    )
    code = f"""
from benchmarks.cases import Case, ModelSource
from benchmarks.session import measure
report = measure(
    ModelSource(kind="entry", ref="net.py:build"), model="m", precision="fp32",
    cases=[Case(model="m", runner=one, suite="memory", duration_s=0.1) for one in ("torch", "onnxruntime")],
    checkout=Path({str(tmp_path)!r}), workdir=Path({str(tmp_path / "work")!r}),
    on_progress=lambda *_: None, device="cpu", canary=False,
)
print(*[one.value for one in report.measurements if one.metric == "host_peak_memory"])
"""
    (peaks,) = said(code)
    assert len(peaks.split()) == 2
    assert all(0 < float(peak) < 16 * 2**20 for peak in peaks.split())
