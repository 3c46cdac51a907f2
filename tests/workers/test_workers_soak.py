"""Soaks by a real station: segments as children, stopped, continued, ended by a limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from site_standin import PATIENCE_S, TOKEN, StandIn, Told, token_new, wait_until
from watched_repository import Repository

from benchmarks.cases import Case
from benchmarks.leaks.stream import RECORD, stream_read
from benchmarks.report import Report
from benchmarks.soak_readings import SoakReadings, readings_name
from tests.soaked import MODELS
from workers.client import SiteClient
from workers.device import device_leased
from workers.folders import Folders
from workers.messages import Hello, Limits, Order
from workers.nursery import Nursery
from workers.station import Station

SOAK = (
    MODELS
    + """
def hungry():
    # so slow that on any machine a reading follows each iteration, and a hundred fit into the limit
    def leak():
        KEPT.append(bytearray(b"x" * 8_000_000))
        time.sleep(0.02)
    return Net(leak), (torch.zeros(1, 16),)

def broken():
    raise RuntimeError("no such layer: conv_17")
"""
)


@pytest.fixture
def station(site: StandIn, nursery: Nursery, tmp_path: Path) -> Iterator[Callable[[], Callable[[], None]]]:
    """Starts a station in a thread; what it returns stops it."""
    stops: list[Callable[[], None]] = []

    def start() -> Callable[[], None]:
        station = Station(
            name="w",
            client=SiteClient(site.url, TOKEN, patience_s=0.3),
            bench=bench,
            nursery=nursery,
            folders=Folders.under(tmp_path / "work", "w"),
            poll_s=0.1,
            retry_s=0.1,
        )
        hello = Hello(worker="w", device=bench.device)
        assert station.introduce(hello)
        thread = threading.Thread(target=station.run, args=(hello,))
        thread.start()

        def stop() -> None:
            station.stop()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

        stops.append(stop)
        return stop

    with device_leased("cpu", work=tmp_path, locks=tmp_path) as bench:
        yield start
        for stop in stops:
            stop()


@pytest.fixture
def soaks(tmp_path: Path) -> Path:
    return Folders.under(tmp_path / "work", "w").soaks


def order_of(repository: Repository, function: str = "leaky", *, seconds: float, **changes: object) -> Order:
    if not (repository.path / "soak.py").exists():
        repository.commit("soak.py", SOAK)
    options = changes.pop("options", {})
    case = Case(model="net", runner="torch", suite="soak", duration_s=seconds, options=options)
    order = repository.order(kind="soak", cases=(case,), **changes)
    return order.model_copy(update={"source": order.source.model_copy(update={"ref": f"soak.py:{function}"})})


def finished(told: Told) -> Report:
    wait_until(lambda: told.ended)
    assert told.report is not None, told.failure
    return told.report


def metrics(report: Report) -> dict[str, float]:
    return {one.metric: one.value for one in report.measurements}


def records(soaks: Path) -> int:
    return sum(path.stat().st_size // RECORD.itemsize for path in soaks.rglob("segment-*.bin"))


def test_each_segment_is_a_child_and_the_report_is_of_all(
    site: StandIn, station: Callable, repository: Repository, soaks: Path
) -> None:
    order = order_of(repository, seconds=3, options={"segment_s": 1.5})
    told = site.give(order)
    station()
    report = finished(told)
    assert {one.case for one in report.measurements} == {order.cases[0]}
    assert [outcome.case for outcome in report.outcomes] == [order.cases[0]]
    assert metrics(report)["leak_host_heap"] == pytest.approx(1040, rel=0.1)
    assert metrics(report)["leaks"] >= 1
    assert any("per iteration" in remark.sentence for remark in report.remarks)
    # the readings over time come beside it, of both segments, and tell the same
    course = SoakReadings.model_validate_json(told.artifacts[readings_name(order.cases[0])])
    assert len(course.segments) == 2
    assert course.at_s[-1] == pytest.approx(3, rel=0.2)
    done = sum(course.iterations[part][-1] for part in course.parts())
    assert done == metrics(report)["soak_iterations"]
    (heap,) = [row for row in course.counters if row.name == "host_heap"]
    assert (heap.verdict, heap.slope) == ("leak", metrics(report)["leak_host_heap"])
    begun = [line for line in told.artifacts["job.txt"].decode().splitlines() if line.startswith("== ")]
    assert begun == ["== segment1", "== segment2"]
    assert "soak" in {progress.stage for progress in told.progress}
    fractions = [progress.fraction for progress in told.progress]
    assert fractions == sorted(fractions)
    wait_until(lambda: not list(soaks.iterdir()))


def test_a_stopped_worker_gives_the_soak_back_and_the_next_attempt_goes_on(
    site: StandIn, station: Callable, repository: Repository, soaks: Path
) -> None:
    order = order_of(repository, seconds=15)
    first = site.give(order)
    stop = station()
    wait_until(lambda: records(soaks) > 8)
    stop()
    wait_until(lambda: first.given_back)
    (before,) = [stream_read(path) for path in soaks.rglob("segment-*.bin")]
    told = site.give(order.model_copy(update={"attempt": 2, "token": token_new()}))
    station()
    report = finished(told)
    assert metrics(report)["soak_iterations"] > before["iterations"][-1]
    streams_s = 15 - float(before["seconds"][-1])
    assert 0 < streams_s < 15
    (remark,) = [remark for remark in report.remarks if remark.code == "soak-continued"]
    assert "interrupted 1 times" in remark.sentence
    assert not [remark for remark in report.remarks if remark.code == "soak-stopped"]


def test_a_cancelled_soak_is_cancelled_and_leaves_nothing(
    site: StandIn, station: Callable, repository: Repository, soaks: Path
) -> None:
    order = order_of(repository, seconds=3600)
    told = site.give(order)
    station()
    wait_until(lambda: records(soaks) > 10)
    site.cancelled.add(order.token)
    wait_until(lambda: told.ended)
    assert told.failure is not None
    assert told.failure.kind == "cancelled"
    assert not list(soaks.iterdir())


def test_a_soak_that_outgrows_its_memory_reports_that(
    site: StandIn, station: Callable, repository: Repository
) -> None:
    limits = Limits(resident_bytes=3 << 29, wall_clock_s=120)
    told = site.give(order_of(repository, "hungry", seconds=600, limits=limits))
    station()
    report = finished(told)
    (remark,) = [remark for remark in report.remarks if remark.code == "soak-died"]
    assert "more than the limit of 1.50 GiB" in remark.sentence
    assert metrics(report)["leaks"] >= 1


def test_a_soak_yields_when_its_segment_ends(
    site: StandIn, station: Callable, repository: Repository, soaks: Path
) -> None:
    order = order_of(repository, seconds=600, options={"segment_s": 1.0})
    site.others_wait.add(order.token)
    told = site.give(order)
    other = site.give(repository.order())
    station()
    wait_until(lambda: told.given_back)
    assert told.failure is None
    wait_until(lambda: other.ended)
    (stream,) = [stream_read(path) for path in soaks.rglob("segment-*.bin")]
    assert float(stream["seconds"][-1]) == pytest.approx(1, abs=0.5)


def test_a_model_that_never_ran_fails_the_job(
    site: StandIn, station: Callable, repository: Repository, soaks: Path
) -> None:
    told = site.give(order_of(repository, "broken", seconds=60))
    station()
    wait_until(lambda: told.ended)
    assert told.failure is not None
    assert (told.failure.kind, told.failure.retry) == ("model", False)
    assert "conv_17" in told.failure.message
    assert not list(soaks.iterdir())


def test_folders_of_soaks_that_nobody_goes_on_with_are_removed(
    site: StandIn, station: Callable, repository: Repository, soaks: Path
) -> None:
    import os
    import time

    old = soaks / "7-abc"
    old.mkdir(parents=True)
    os.utime(old, (time.time() - 30 * 86400,) * 2)
    told = site.give(order_of(repository, seconds=0.2))
    station()
    finished(told)
    assert not old.exists()
