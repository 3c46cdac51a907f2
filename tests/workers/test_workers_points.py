"""Points of a suite, prices and files of suites, through a real station and real children."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from site_standin import PATIENCE_S, TOKEN, StandIn, wait_until
from watched_repository import Repository

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case
from benchmarks.report import Environment, Report
from workers.client import SiteClient
from workers.device import device_leased
from workers.folders import Folders
from workers.job import Job
from workers.messages import BuildSource, Hello, Order
from workers.nursery import Nursery
from workers.station import Station

PRICE = 3.6  # an hour: a thousandth a second
SWEEP = Case(model="net", runner="torch", suite="sweep", duration_s=0.1)


@pytest.fixture
def run(site: StandIn, nursery: Nursery, tmp_path: Path) -> Iterator[Callable[[Order], Report]]:
    """Has an order done by a station and gives its report."""
    with device_leased("cpu", work=tmp_path, locks=tmp_path, price_per_hour=PRICE) as bench:
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

        def run(order: Order) -> Report:
            told = site.give(order)
            wait_until(lambda: told.ended)
            assert told.report is not None, told.failure
            return told.report

        yield run
        station.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_the_devices_price_becomes_a_cost(run: Callable[[Order], Report], repository: Repository) -> None:
    case = Case(model="net", runner="torch", suite="throughput", duration_s=0.2)
    report = run(repository.order(cases=(case,)))
    values = {one.metric: one.value for one in report.measurements}
    assert values["cost_per_million_samples"] == pytest.approx(PRICE / 3600 * 1e6 / values["throughput"])
    assert [reading.when for reading in report.canary] == ["before", "after"]


def test_a_comparison_measures_one_point_of_a_suite_alone(
    run: Callable[[Order], Report], repository: Repository
) -> None:
    point = SWEEP.at(size=32)
    builds = tuple(
        BuildSource(build_id=1, repo=str(repository.path), sha=sha)
        for sha in (repository.head, repository.commit("README.md", "only words"))
    )
    order = repository.order(
        kind="compare", builds=builds, cases=(point,), watch=((0, "latency_p50"),), max_pairs=2
    )
    report = run(order)
    disturbed = [one.sentence for one in report.remarks if one.code == "pairs-disturbed"]
    counted = {f"{n} of 2": 2 - n for n in (1, 2)}.get("".join(disturbed)[:6], 2)
    assert {one.case for one in report.comparisons} == ({point} if counted else set())
    told = [one for one in report.comparisons if one.metric == "latency_p50"]
    assert [len(one.a) for one in told] == [counted] * bool(counted)
    assert report.canary == ()


def test_files_that_a_suite_made_travel_from_wherever_they_lie(
    repository: Repository, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    made = {out / "layers.json": "profile", out / "variant1" / "build.log": "log"}
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    (out / "variant1" / "layers.json").write_text("another one of this name")
    refs = [Artifact.seal(path, kind).ref() for path, kind in made.items()]  # type: ignore[arg-type]
    order = repository.order()
    report = Report(
        created_at=datetime.now(UTC),
        generator="tests",
        model=order.model,
        source=order.source,
        precision=order.precision,
        environment=Environment(facts={}),
        artifacts=tuple(refs),
    )
    job = Job(order, tmp_path, *([None] * 5))  # type: ignore[arg-type]
    assert job._files(report, out, tmp_path) == {path.name: path for path in made}
