"""The file of a soak's readings: bounded, in order, and what a chart needs."""

import pytest
from pydantic import ValidationError
from test_benchmarks_leak_readings import reading

from benchmarks.cases import Case
from benchmarks.leaks.course import Course, SegmentEnd
from benchmarks.leaks.stream import RECORD, Stream, stream_read
from benchmarks.leaks.summary import course_summarize
from benchmarks.leaks.thinning import course_thin
from benchmarks.soak_readings import MOST, SoakReadings, is_readings, readings_name

CASE = Case(model="m", runner="torch", suite="soak", options={"segment_s": 50.0})


def course_make(folder, *lengths: int) -> Course:
    """Segments with that many readings, one a second, 100 iterations each, 2 KiB more a second."""
    course = Course(folder)
    for length in lengths:
        path = course.next_path()
        with Stream(path, most=100_000) as stream:
            for n in range(1, length + 1):
                stream.add(reading(n, heap=10_000 + 2048 * n + 5000 * (n % 2), busy=n / 2))
        course.end_note(path, SegmentEnd("done"))
    return course


def thinned(course: Course) -> SoakReadings:
    return course_thin(course, course_summarize(course), CASE, out_of_memory=None)


def test_few_readings_stay_as_they_are(tmp_path):
    found = thinned(course_make(tmp_path, 3, 2))
    assert found.at_s == (1, 2, 3, 4, 5)
    assert [(row.first, row.start_s, row.ended) for row in found.segments] == [(0, 0, "done"), (3, 3, "done")]
    assert found.rates == (200,) * 5
    assert [found.iterations[part] for part in found.parts()] == [(100, 200, 300), (100, 200)]
    (heap,) = [row for row in found.counters if row.name == "host_heap"]
    assert heap.values[:2] == (10_000 + 2048 + 5000, 10_000 + 4096)
    assert heap.verdict == "short"


def test_many_readings_are_bounded_and_keep_the_floor_and_the_ends(tmp_path):
    course = course_make(tmp_path, 6000, 3000)
    found = thinned(course)
    assert len(found.at_s) <= MOST
    assert found.at_s[-1] == 9000
    assert found.segments[1].start_s == 6000
    (heap,) = [row for row in found.counters if row.name == "host_heap"]
    assert heap.verdict == "leak"
    assert heap.slope_low <= heap.slope <= heap.slope_high
    assert heap.slope == pytest.approx(20.48, rel=0.01)
    # the higher of two neighbours never shows: its 5,000 bytes are garbage
    assert all((value - 10_000) % 2048 == 0 for value in heap.values)
    assert len(found.model_dump_json()) < 100_000


def test_more_segments_than_readings_keep_one_each(tmp_path):
    found = thinned(course_make(tmp_path, *[2] * 1200))
    assert len(found.segments) == len(found.at_s) == 1200


def test_the_gpus_readings_have_their_time_and_say_where_they_have_none(tmp_path):
    course = course_make(tmp_path, 3)
    course.gauge_note(61, None, 1.98e9)
    with Stream(course.next_path()) as stream:
        stream.add(reading(2))
    course.gauge_note(None, 300.5)
    found = thinned(course)
    assert found.gauge.at_s == (3, 5)
    assert found.gauge.temperature == (61, None)
    assert found.gauge.power == (None, 300.5)
    assert found.gauge.sm_clock == (pytest.approx(1.98e9), None)
    assert found.segments[-1].ended == "cut"


def test_a_torn_segment_without_a_record_is_none(tmp_path):
    course = course_make(tmp_path, 3)
    course.next_path().write_bytes(b"torn"[: RECORD.itemsize - 1])
    assert len(thinned(course).segments) == 1
    assert stream_read(course.paths[-1]).size == 0


def test_a_file_whose_columns_disagree_is_refused(tmp_path):
    body = thinned(course_make(tmp_path, 3)).model_dump(mode="json")
    for change in (
        {"rates": [1.0]},
        {"at_s": [3.0, 2.0, 1.0]},
        {"segments": [{"first": 7, "start_s": 0, "ended": "done"}]},
        {"gauge": {"at_s": [1.0]}},
        {"at_s": [], "rates": [], "iterations": []},
        {"surprise": 1},
    ):
        with pytest.raises(ValidationError):
            SoakReadings.model_validate(body | change)
    assert SoakReadings.model_validate(body).at_s == (1, 2, 3)


def test_the_name_of_the_file_tells_the_case():
    assert readings_name(CASE) == "soak-torch.b1-segment_s-50.json"
    assert is_readings(readings_name(CASE))
    assert not is_readings("soak.txt")
