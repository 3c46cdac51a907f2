"""The station in this process, with a real site, real git and real measuring children."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from site_standin import PATIENCE_S, TOKEN, StandIn, Told, wait_until
from watched_repository import Repository

from benchmarks.cases import Case
from workers.attempt import KINDS
from workers.client import Refused, SiteClient
from workers.device import device_leased
from workers.folders import Folders
from workers.messages import BuildSource, Hello, Limits, Order
from workers.nursery import Nursery
from workers.spool import Spool
from workers.station import Station

Start = Callable[..., Station]


@pytest.fixture
def start(site: StandIn, nursery: Nursery, tmp_path: Path) -> Iterator[Start]:
    """Starts a station in a thread; its error, if any, is raised at the end."""
    stations: list[tuple[Station, threading.Thread]] = []

    def start(poll_s: float = 0.1) -> Station:
        station = Station(
            name="w",
            client=SiteClient(site.url, TOKEN, patience_s=0.3),
            bench=bench,
            nursery=nursery,
            folders=Folders.under(tmp_path / "work", "w"),
            poll_s=poll_s,
            retry_s=0.1,
        )
        hello = Hello(worker="w", device=bench.device)
        assert station.introduce(hello)
        thread = threading.Thread(target=station.run, args=(hello,))
        thread.start()
        stations.append((station, thread))
        return station

    with device_leased("cpu", work=tmp_path, locks=tmp_path) as bench:
        yield start
        for station, thread in stations:
            station.stop()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def finished(told: Told) -> Told:
    wait_until(lambda: told.ended)
    return told


def test_a_job_is_measured_and_reported(site: StandIn, start: Start, repository: Repository) -> None:
    cases = tuple(
        Case(model="net", runner=runner, suite=suite, duration_s=0.2)
        for runner, suite in (("torch", "latency"), ("onnxruntime", "build"), ("onnxruntime", "latency"))
    )
    told = site.give(repository.order(cases=cases))
    start()
    report = finished(told).report
    assert report is not None
    assert {(m.case, m.metric) for m in report.measurements} >= {
        (cases[0], "latency_p50"),
        (cases[1], "model_size"),
        (cases[2], "latency_p50"),
    }
    assert all(outcome.status == "done" for outcome in report.outcomes)
    assert {ref.name for ref in report.artifacts} == set(told.artifacts) == {"model-fp32.onnx", "job.txt"}
    stages = [progress.stage for progress in told.progress]
    assert "export" in stages
    fractions = [progress.fraction for progress in told.progress]
    assert fractions == sorted(fractions)
    assert told.progress[-1].telemetry["host_memory"] is not None


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        ("broken", "model", "no such layer: conv_17"),
        ("missing", "model", "missing"),
        ("crash", "killed", "SIGSEGV"),
        ("leave", "model", "the watched code wants out"),
    ],
)
def test_watched_code_that_breaks_fails_its_job_for_good_and_the_next_one_runs(
    site: StandIn, start: Start, repository: Repository, function: str, kind: str, words: str
) -> None:
    broken, good = site.give(repository.order(function)), site.give(repository.order())
    start()
    failure = finished(broken).failure
    assert failure is not None
    assert (failure.kind, failure.retry) == (kind, False)
    assert words in failure.message
    assert finished(good).report is not None


def test_the_log_of_a_broken_model_goes_home(site: StandIn, start: Start, repository: Repository) -> None:
    told = site.give(repository.order("broken"))
    start()
    failure = finished(told).failure
    assert failure is not None
    assert "before it breaks" in failure.log
    assert "Traceback" in failure.log


def test_limits_are_kept(site: StandIn, start: Start, repository: Repository) -> None:
    slow = site.give(repository.order("hang", limits=Limits(wall_clock_s=1)))
    big = site.give(repository.order("hang", limits=Limits(resident_bytes=50 << 20)))
    start()
    for told, kind in ((slow, "timeout"), (big, "memory")):
        failure = finished(told).failure
        assert failure is not None
        assert (failure.kind, failure.retry) == (kind, False)


def test_a_commit_that_is_not_there_is_a_checkout_failure(
    site: StandIn, start: Start, repository: Repository
) -> None:
    gone = BuildSource(build_id=1, repo=str(repository.path), sha="d" * 40)
    told = site.give(repository.order(builds=(gone,)))
    start()
    failure = finished(told).failure
    assert failure is not None
    assert (failure.kind, failure.retry) == ("checkout", False)


def test_a_kind_this_worker_does_not_know_is_refused(
    site: StandIn, start: Start, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(KINDS, "soak")
    told = site.give(repository.order(kind="soak"))
    start()
    failure = finished(told).failure
    assert failure is not None
    assert failure.kind == "protocol"
    assert "soak" in failure.message


def test_a_cancelled_job_ends_and_says_so(site: StandIn, start: Start, repository: Repository) -> None:
    order = repository.order("hang")
    told = site.give(order)
    start()
    wait_until(lambda: any("hanging" in progress.log for progress in told.progress))
    site.cancelled.add(order.token)
    failure = finished(told).failure
    assert failure is not None
    assert failure.kind == "cancelled"


def test_a_superseded_attempt_stops_and_writes_nothing(
    site: StandIn, start: Start, repository: Repository, nursery: Nursery
) -> None:
    order = repository.order("hang")
    told = site.give(order)
    start()
    wait_until(lambda: any("hanging" in progress.log for progress in told.progress))
    site.superseded.add(order.token)
    wait_until(lambda: nursery.family() == [])
    following = finished(site.give(repository.order()))
    assert following.report is not None
    assert not told.ended


def test_a_stop_gives_the_job_back(site: StandIn, start: Start, repository: Repository) -> None:
    told = site.give(repository.order("hang"))
    station = start()
    wait_until(lambda: any("hanging" in progress.log for progress in told.progress))
    station.stop()
    wait_until(lambda: told.given_back)
    assert told.failure is None


def test_a_wakeup_while_the_station_looks_means_another_look(
    site: StandIn, start: Start, repository: Repository
) -> None:
    """The job comes after the site has said "nothing" and before the station rests."""
    station = start(poll_s=600)
    wait_until(lambda: site.claims)
    told: list[Told] = []

    def come_late() -> None:
        site.on_claim = lambda: None
        told.append(site.give(repository.order()))
        station.wake()

    site.on_claim = come_late
    station.wake()
    wait_until(lambda: told)
    assert finished(told[0]).report is not None


def test_a_report_made_while_the_site_is_away_arrives_when_it_is_back(
    site: StandIn, start: Start, repository: Repository
) -> None:
    told = site.give(repository.order("build"))
    station = start()
    wait_until(lambda: told.progress)
    site.down()
    wait_until(lambda: station.undelivered)
    site.up()
    assert finished(told).reports == 1


def test_a_site_that_forgot_the_worker_is_greeted_again(
    site: StandIn, start: Start, repository: Repository
) -> None:
    start(poll_s=0.1)
    site.forget = True
    wait_until(lambda: len(site.hellos) >= 2)
    assert finished(site.give(repository.order())).report is not None


def test_a_refusal_is_raised_with_the_sites_words(site: StandIn, start: Start) -> None:
    site.refuse_hello = "install the same version"
    with pytest.raises(Refused, match="install the same version"):
        start()


def comparison(repository: Repository, first: str, second: str, **changes: object) -> Order:
    case = Case(model="net", runner="onnxruntime", suite="latency", duration_s=0.2)
    builds = tuple(BuildSource(build_id=1, repo=str(repository.path), sha=sha) for sha in (first, second))
    fields = {"kind": "compare", "builds": builds, "cases": (case,), "watch": ((0, "latency_p50"),)}
    return repository.order(**(fields | changes))


def test_a_comparison_finds_the_slower_build(site: StandIn, start: Start, repository: Repository) -> None:
    good = repository.head
    slower = (repository.path / "net.py").read_text().replace("width = 16", "width = 64")
    suspect = repository.commit("net.py", slower)
    told = site.give(comparison(repository, good, suspect))
    start()
    report = finished(told).report
    assert report is not None
    assert report.kind == "compare"
    found, *besides = report.comparisons
    # asked about one metric only; what else the pairs decided comes along
    assert {one.metric for one in besides} == {"latency_p90", "latency_p99", "cpu_time_p50"}
    assert (found.metric, found.verdict) == ("latency_p50", "regressed")
    assert len(found.a) == len(found.b) >= 2
    turns = [
        line.split("-")[1]
        for line in told.artifacts["job.txt"].decode().splitlines()
        if line[:7] == "== pair"
    ]
    assert [pair.number for pair in told.pairs] == list(range(len(told.pairs)))
    assert told.counted == len(found.a)
    expected = []
    for number in range(len(told.pairs)):
        even = sum(not pair.disturbed for pair in told.pairs[:number]) % 2 == 0
        expected += ["good", "suspect"] if even else ["suspect", "good"]
    assert turns == expected


def test_a_comparison_ends_with_its_budget(site: StandIn, start: Start, repository: Repository) -> None:
    good = repository.head
    same = repository.commit("README.md", "only words")
    told = site.give(comparison(repository, good, same, max_pairs=1))
    start()
    report = finished(told).report
    assert report is not None
    assert len(told.pairs) == 1
    told_of = [(one.verdict, len(one.a)) for one in report.comparisons if one.metric == "latency_p50"]
    assert told_of == [("unknown", 1)] * told.counted


def test_a_comparison_with_a_build_that_breaks_says_which(
    site: StandIn, start: Start, repository: Repository
) -> None:
    good = repository.head
    bad = repository.commit("net.py", "def build():\n    raise RuntimeError('torn')\n")
    told = site.give(comparison(repository, good, bad))
    start()
    failure = finished(told).failure
    assert failure is not None
    assert failure.kind == "model"
    assert failure.message.startswith(f"the suspect build {bad[:7]}: ")
    assert "torn" in failure.message


def test_a_full_disk_claims_nothing_and_a_failing_one_tells_the_site(
    site: StandIn, start: Start, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = site.give(repository.order())
    with monkeypatch.context() as full:
        full.setattr("workers.station.ROOM_BYTES", 1 << 60)
        station = start()
        threading.Event().wait(0.5)
        assert len(site.orders) == 1

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "_save", no_room)
    station.wake()
    failure = finished(told).failure
    assert failure is not None
    assert (failure.kind, failure.retry) == ("environment", True)
    assert "No space left on device" in failure.message
