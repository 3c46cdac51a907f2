"""Soaks of real models in real processes: leaks found, none invented, stopped and continued."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from leaky_models import LEAKY

from benchmarks.cases import Case, ModelSource
from benchmarks.leaks.segment import BLOCK_S, SO_FAR_BLOCKS, _Segment
from benchmarks.leaks.stream import NAMES, RECORD, stream_read
from benchmarks.report import Report
from benchmarks.session import measure

ROOT = Path(__file__).resolve().parents[2]
KIB = 1024


@pytest.fixture(autouse=True)
def one_core():
    """Threads of one process that wait for each other make a busy machine ten times slower."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield
    os.sched_setaffinity(0, before)


def soak(
    folder: Path, source: ModelSource, *, runner="torch", duration_s=1.5, patient=True, **options
) -> Report:
    """The report of a soak; where a busy machine left too few readings, of a longer one if `patient`."""
    while True:
        case = Case(model="m", runner=runner, suite="soak", duration_s=duration_s, options=options)
        report = measure(
            source,
            model="m",
            precision="fp32",
            cases=[case],
            checkout=folder,
            workdir=folder / "work",
            on_progress=lambda *_: None,
            device="cpu",
            canary=False,
        )
        if not patient or duration_s > 60 or "soak-short" not in remarks(report):
            return report
        duration_s *= 4
        options = {name: 4 * value for name, value in options.items()}  # segments in proportion
        shutil.rmtree(folder / "work")


def leaky(folder: Path, function: str, **more) -> Report:
    (folder / "leaky.py").write_text(LEAKY)
    return soak(folder, ModelSource(kind="entry", ref=f"leaky.py:{function}"), **more)


def metrics(report: Report) -> dict[str, float]:
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    return {one.metric: one.value for one in report.measurements}


def remarks(report: Report) -> dict[str, str]:
    return {remark.code: remark.sentence for remark in report.remarks}


@pytest.mark.parametrize(
    ("function", "remedy"),
    [("python_bytes", "Python objects are kept"), ("native", "native code keeps")],
)
def test_a_kibibyte_per_iteration_is_found_in_seconds(tmp_path, function, remedy):
    report = leaky(tmp_path, function)
    found = metrics(report)
    assert found["leaks"] >= 1
    heap = next(one for one in report.measurements if one.metric == "leak_host_heap")
    assert heap.value == pytest.approx(KIB, rel=0.1)  # and what the allocator adds to each block
    assert heap.ci_low <= heap.value <= heap.ci_high
    sentence = remarks(report)["leak-host_heap"]
    assert "per iteration" in sentence
    assert "memory lasts for" in sentence
    assert remedy in sentence
    assert 1 <= float(re.search(r"plain after ([0-9.]+) seconds", sentence)[1]) < 60, sentence
    room = int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) * KIB
    rate = found["soak_iterations"] / report.outcomes[0].case.duration_s
    assert found["time_to_out_of_memory"] == pytest.approx(room / rate / heap.value, rel=0.4)


def test_small_python_objects_that_are_kept_are_found(tmp_path):
    """They lie in Python's own arenas, which C's allocator does not know."""
    report = leaky(tmp_path, "small_objects")
    assert metrics(report)["leak_python_objects"] > 1
    assert "leak-python_objects" in remarks(report)


def test_a_leak_below_onnxruntime_is_found(tmp_path, monkeypatch):
    """Real sessions in a real process; only what they lose is put in, which a fork alone takes along."""
    from benchmarks.runners.onnxruntime_runner import OnnxRuntimeRunner

    # an earlier test's threads are torch's: none runs there
    monkeypatch.setattr("benchmarks.nursery.native_threads", set)
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    infer = OnnxRuntimeRunner.infer

    def leaking(self):
        libc.malloc(ctypes.c_size_t(KIB))
        infer(self)

    monkeypatch.setattr(OnnxRuntimeRunner, "infer", leaking)
    report = soak(tmp_path, ModelSource(kind="catalogue", ref="tiny-cnn"), runner="onnxruntime", duration_s=2)
    assert metrics(report)["leak_host_heap"] == pytest.approx(KIB, rel=0.1)
    assert "leak-host_heap" in remarks(report)


@pytest.mark.parametrize("runner", ["torch", "onnxruntime"])
def test_a_model_that_does_not_leak_is_not_accused(tmp_path, runner):
    report = soak(tmp_path, ModelSource(kind="catalogue", ref="tiny-cnn"), runner=runner, duration_s=2.5)
    found = metrics(report)
    assert found["leaks"] == 0, remarks(report)
    assert "time_to_out_of_memory" not in found
    assert found["soak_iterations"] > 100


@pytest.mark.parametrize("function", ["cycles", "bounded"])
def test_garbage_and_bounded_caches_are_no_leaks(tmp_path, function):
    report = leaky(tmp_path, function)
    assert metrics(report)["leaks"] == 0, remarks(report)


def test_segments_are_processes_of_their_own_and_one_verdict(tmp_path):
    report = leaky(tmp_path, "native", duration_s=3, segment_s=1.5)
    streams = sorted((tmp_path / "work").glob("soak-*/segment-*.bin"))
    half_s = report.outcomes[0].case.duration_s / 2
    assert len(streams) == 2
    assert all(0.9 * half_s < float(stream_read(path)["seconds"][-1]) < 2 * half_s for path in streams)
    iterations = [int(stream_read(path)["iterations"][-1]) for path in streams]
    assert metrics(report)["soak_iterations"] == sum(iterations)
    assert metrics(report)["leak_host_heap"] == pytest.approx(KIB, rel=0.1)


def test_a_segment_whose_time_ends_during_a_reading_still_has_one_of_its_end():
    class Kept(list):
        def add(self, record):
            self.append(float(record["seconds"][0]))

    class Slow:
        def read(self):
            time.sleep(0.09)
            return [0] * len(NAMES)

    class Never:
        def is_asked(self):
            return False

    kept = Kept()
    _Segment(lambda: None, Slow(), kept, seconds=0.1).run(Never())
    assert len(kept) == 2
    assert kept[0] < 0.1 <= kept[1]


def test_dear_readings_come_often_while_there_are_few():
    """Whenever a long soak is ended, there are enough for a verdict; later their share of the time holds."""

    class Kept(list):
        def add(self, record):
            self.append((float(record["seconds"][0]), float(record["busy"][0])))

    class Dear:
        def read(self):
            until = time.thread_time() + 0.03  # at a share of 2 % alone a block would last 1.5 s
            while time.thread_time() < until:
                pass
            return [0] * len(NAMES)

    class After:
        def is_asked(self):
            return len(kept) >= 40

    kept = Kept()
    _Segment(lambda: None, Dear(), kept, seconds=3600.0).run(After())
    seconds, busy = np.asarray(kept).T
    longest = np.maximum(BLOCK_S, seconds[:-1] / SO_FAR_BLOCKS)
    assert np.median(np.diff(busy) / longest) < 1.1


def test_objects_that_make_each_collection_dearer_still_get_a_verdict(tmp_path):
    report = leaky(tmp_path, "many_containers", duration_s=2)
    assert "soak-short" not in remarks(report)
    # blocks of memory: two lists and the items of one, five times
    assert metrics(report)["leak_python_objects"] == pytest.approx(15, rel=0.1)
    assert "leak-python_objects" in remarks(report)


def test_a_soak_too_short_for_a_verdict_says_so(tmp_path):
    report = leaky(tmp_path, "native", duration_s=0.2, patient=False)
    assert "leaks" not in metrics(report)
    assert "no verdict on leaks" in remarks(report)["soak-short"]


@pytest.mark.parametrize(
    ("function", "why"), [("breaks_later", "vocabulary ran out"), ("killed_later", "exit code -9")]
)
def test_what_ends_a_model_after_a_while_is_reported_with_what_was_seen(tmp_path, function, why):
    report = leaky(tmp_path, function, duration_s=60, patient=False)
    assert 100 < metrics(report)["soak_iterations"] < 3001
    sentence = remarks(report)["soak-died"]
    assert "of 60.0 seconds" in sentence or "of 1.0 minutes" in sentence, sentence
    assert why in sentence


def test_a_model_that_dies_before_a_verdict_tells_what_it_grew_by(tmp_path):
    report = leaky(tmp_path, "killed_soon", duration_s=60, patient=False)
    assert "leaks" not in metrics(report)
    assert "exit code -9" in remarks(report)["soak-died"]
    sentence = remarks(report)["soak-short"]
    assert "memory that C's allocator gave out grew by" in sentence
    assert "soak longer" not in sentence
    grown = metrics(report)["soak_iterations"] - 1  # from the first reading to the last
    assert f"{grown:.2f} MiB" in sentence, sentence


def test_a_stop_in_the_middle_of_a_segment_ends_with_a_report(tmp_path):
    asked = []

    def stop():
        while not (streams := list((tmp_path / "work").glob("soak-*/segment-*.bin"))):
            time.sleep(0.05)
        while streams[0].stat().st_size < 60 * RECORD.itemsize:
            time.sleep(0.05)
        asked.append(time.monotonic())
        (streams[0].parent / "stop").touch()

    asking = threading.Thread(target=stop)
    asking.start()
    began = time.monotonic()
    report = leaky(tmp_path, "native", duration_s=3600)
    asking.join()
    assert time.monotonic() - asked[0] < 60
    assert time.monotonic() - began < 120
    assert metrics(report)["leak_host_heap"] == pytest.approx(KIB, rel=0.1)
    assert "the soak was stopped after" in remarks(report)["soak-stopped"]
    assert "of 60.0 minutes" in remarks(report)["soak-stopped"]


_LONG = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from test_benchmarks_soak import leaky
report = leaky(Path({folder!r}), "native", duration_s={seconds})
Path({folder!r}, "report.json").write_text(report.model_dump_json())
"""


@pytest.fixture
def long_soak(tmp_path):
    """Begins a soak of an hour in a process of its own; none of them outlives the test: they leak."""
    begun = []

    def begin() -> subprocess.Popen:
        tests = str(Path(__file__).parent)
        code = _LONG.format(root=str(ROOT), tests=tests, folder=str(tmp_path), seconds=3600)
        begun.append(subprocess.Popen([sys.executable, "-c", code], start_new_session=True))
        return begun[-1]

    yield begin
    for process in begun:
        with suppress(ProcessLookupError):  # nobody of its session is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def stream_wait(folder: Path, records: int) -> None:
    def found() -> int:
        streams = sorted((folder / "work").glob("soak-*/segment-*.bin"))
        return streams[-1].stat().st_size // RECORD.itemsize if streams else 0

    end = time.monotonic() + 240
    while found() < records:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_sigterm_ends_it_with_a_report_and_a_kill_loses_nothing_but_the_process(tmp_path, long_soak):
    killed = long_soak()
    stream_wait(tmp_path, 80)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    before = [stream_read(path)["iterations"][-1] for path in (tmp_path / "work").glob("soak-*/*.bin")]
    assert len(before) == 1
    again = long_soak()
    while len(list((tmp_path / "work").glob("soak-*/*.bin"))) < 2:
        time.sleep(0.05)
    stream_wait(tmp_path, 80)
    again.send_signal(signal.SIGTERM)
    assert again.wait(120) == 0
    report = Report.model_validate_json((tmp_path / "report.json").read_text())
    found = metrics(report)
    assert found["soak_iterations"] > before[0] + 80  # of both processes
    assert found["leak_host_heap"] == pytest.approx(KIB, rel=0.1)
    assert "interrupted 1 times" in remarks(report)["soak-continued"]
    assert "stopped after" in remarks(report)["soak-stopped"]
    assert not list((tmp_path / "work").glob("soak-*/stop"))
