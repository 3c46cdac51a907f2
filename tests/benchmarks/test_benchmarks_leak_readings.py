"""What a soak reads, and how readings are kept on disk."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from leak_shapes import KIB

from benchmarks.cases import Case
from benchmarks.gauge import Gauge
from benchmarks.leaks.counters import ABSENT, COUNTERS, Counters
from benchmarks.leaks.course import Course, SegmentEnd, segment_s
from benchmarks.leaks.stream import RECORD, Stream, records_most, stream_read
from benchmarks.leaks.summary import course_summarize

ROOT = Path(__file__).resolve().parents[2]
GRAIN = 16 * KIB


# the counters


def test_the_heap_counter_sees_every_byte_that_c_gives_out():
    import ctypes

    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    with Counters() as counters:
        heap = [row.name for row in COUNTERS].index("host_heap")
        counters.read()
        before = counters.read()[heap]
        for _ in range(1000):
            libc.malloc(ctypes.c_size_t(1000))
        grown = counters.read()[heap] - before
    assert 1_000_000 <= grown <= 1_050_000


def test_a_counter_that_is_not_there_says_why(monkeypatch):
    monkeypatch.setattr("benchmarks.leaks.counters.ctypes.CDLL", lambda _: object())
    with Counters() as counters:
        values = dict(zip((row.name for row in COUNTERS), counters.read(), strict=True))
    assert values["host_heap"] == values["gpu_allocated"] == values["gpu_process"] == ABSENT
    assert values["host_resident"] > 2**20
    assert "mallinfo2" in counters.missing["host_heap"]


class Contained(Gauge):
    """NVML in a container: it knows the process by another number."""

    def processes(self):
        return {1: 5}

    def device_bytes(self):
        return 3 << 30


class Listing(Contained):
    def processes(self):
        return {os.getpid(): 7 << 20}


def test_where_nvml_does_not_know_the_process_the_whole_gpu_is_watched():
    place = [row.name for row in COUNTERS].index("gpu_process")
    with Counters(gauge=Contained()) as counters:
        assert counters.read()[place] == 3 << 30
        assert "the whole GPU's is watched" in counters.missing["gpu_process"]
    with Counters(gauge=Listing()) as counters:
        assert counters.read()[place] == 7 << 20
        assert not counters.missing


# the readings on disk


def reading(seconds: float, heap: int = 0, **more: float) -> np.ndarray:
    record = np.zeros(1, dtype=RECORD)
    for name, value in {"seconds": seconds, "iterations": seconds * 100, "host_heap": heap, **more}.items():
        record[name] = value
    return record


def test_a_full_stream_halves_its_resolution_and_keeps_the_floor(tmp_path):
    path = tmp_path / "s.bin"
    with Stream(path, most=8) as stream:
        for n in range(100):
            stream.add(reading(n, heap=1000 + n % 3))
    records = stream_read(path)
    assert 4 <= records.size <= 8
    assert records["seconds"][-1] == 99, "what was held when the stream was closed is there"
    assert (np.diff(records["iterations"]) > 0).all()
    assert set(records["host_heap"]) == {1000}


def test_a_missing_reading_stays_missing(tmp_path):
    path = tmp_path / "s.bin"
    with Stream(path, most=4) as stream:
        for n in range(16):
            stream.add(reading(n, heap=ABSENT))
    course = Course(tmp_path)
    path.rename(tmp_path / "segment-00001.bin")
    assert course.series("host_heap") == []


def test_the_gpus_readings_are_kept_and_may_be_missing(tmp_path):
    course = Course(tmp_path)
    assert course.gauge().shape == (0, 4)
    for temperature, power in ((60, 300), (None, 310), (65, None)):
        course.gauge_note(temperature, power)
    course.gauge_note(None, None, 1.98e9)
    assert np.nanmax(course.gauge(), axis=0).tolist() == [0, 65, 310, pytest.approx(1.98e9)]
    with Stream(course.next_path()) as stream:
        stream.add(reading(1))
    summary = course_summarize(course)
    assert (summary.temperature, summary.power) == (65, 305)


def test_a_torn_record_is_left_out(tmp_path):
    path = tmp_path / "s.bin"
    with Stream(path) as stream:
        for n in range(5):
            stream.add(reading(n))
    path.write_bytes(path.read_bytes()[:-7])
    assert stream_read(path).size == 4


_TWELVE_HOURS = """
import json, sys
from pathlib import Path
import numpy as np
from benchmarks.leaks.course import Course
from benchmarks.leaks.stream import RECORD, Stream, records_most
from benchmarks.leaks.summary import course_summarize

seconds, segments, rate, folder = 43200, int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
def held(kind):
    return int(Path("/proc/self/status").read_text().split(kind)[1].split()[0]) / 1024
before, course = held("VmRSS:"), Course(folder)
per_segment = seconds * rate // segments
record = np.zeros(1, dtype=RECORD)
row = record[0]
for _ in range(segments):
    with Stream(course.next_path(), records_most(segments)) as stream:
        for n in range(1, per_segment + 1):
            row["seconds"], row["iterations"], row["busy"] = n / rate, n * 10, n * 0.9 / rate
            row["host_heap"], row["host_resident"] = 10**9 + n * 40, 2 * 10**9
            stream.add(record)
summary = course_summarize(course)
print(json.dumps({
    "disk": sum(path.stat().st_size for path in folder.iterdir()) / 2**20,
    "memory": held("VmHWM:") - before,  # getrusage's peak is inherited from whoever started this
    "hours": summary.seconds / 3600,
    "leaks": [one.counter.name for one in summary.leaks],
    "slope": summary.leaks[0].verdict.slope.value,
}))
"""


@pytest.mark.parametrize(("segments", "rate"), [(1, 50), (48, 4)])
def test_twelve_hours_of_readings_fit(tmp_path, segments, rate):
    """Every reading of 12 hours, so many a second, through the real stream, and the summary of them."""
    command = [sys.executable, "-c", _TWELVE_HOURS, str(segments), str(rate), str(tmp_path)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(answer.stdout)
    assert told["disk"] < 50, told
    assert told["memory"] < 200, told
    assert told["hours"] == pytest.approx(12, rel=0.001)
    assert told["leaks"] == ["host_heap"]
    assert told["slope"] == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize("asked_s", [1.0, 30.0, 900.0, 43200.0])
def test_twelve_hours_in_segments_of_any_length_fit_on_the_disk(asked_s):
    case = Case(model="m", runner="torch", suite="soak", duration_s=12 * 3600, options={"segment_s": asked_s})
    segments = math.ceil(case.duration_s / segment_s(case))
    blocks = math.ceil(records_most(segments) * RECORD.itemsize / 4096)  # a file takes whole ones
    assert segments * blocks * 4096 < 50 * 2**20


def test_a_course_goes_on_until_it_has_lasted_and_then_begins_anew(tmp_path):
    course = Course.open(tmp_path, "this model", wanted_s=100)
    for seconds in (40, 30):
        with Stream(course.next_path()) as stream:
            stream.add(reading(seconds))
    course.end_note(course.paths[0], SegmentEnd("done", missing=(("host_heap", "no glibc"),)))
    again = Course.open(tmp_path, "this model", wanted_s=100)
    assert again.seconds == 70
    assert again.ends() == {"segment-00001.bin": SegmentEnd("done", missing=(("host_heap", "no glibc"),))}
    assert Course.open(tmp_path, "another model", wanted_s=100).seconds == 0
    assert Course.open(tmp_path, "this model", wanted_s=70).seconds == 0, "a finished one is not told twice"
