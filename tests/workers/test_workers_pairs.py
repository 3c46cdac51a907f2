"""Pairs on their way home: spooled, in order, before the report; comparisons that go on behind them."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from site_standin import TOKEN, StandIn, Told, wait_until
from watched_repository import Repository

from benchmarks.cases import Case
from benchmarks.sequential import Suspected
from workers.client import Offline, SiteClient
from workers.messages import BuildSource, Failure, Order, Pair
from workers.spool import BROKEN_TIMES, Spool

Worker = Callable[..., subprocess.Popen[str]]
SPOOLED = "*/spool/pairs/*/[0-9]*.json"
CASE = Case(model="net", runner="onnxruntime", suite="latency", duration_s=0.1)


def order_make(repository: Repository, **changes: object) -> Order:
    """A comparison of two builds that differ in words only; no evidence would end it before its pairs do."""
    good = repository.head
    shas = (good, repository.commit("README.md", "only words"))
    builds = tuple(BuildSource(build_id=1, repo=str(repository.path), sha=sha) for sha in shas)
    fields = {"kind": "compare", "builds": builds, "cases": (CASE,), "watch": ((0, "latency_p50"),)}
    # a suspicion without a score is never refuted
    fields |= {"suspected": (Suspected(1.0, 2.0, 1.0, 0.0),), "alpha": 1e-9}
    return repository.order(**(fields | changes))


def pair(number: int, a: float = 1.0, b: float = 1.0) -> Pair:
    return Pair(number=number, values=((0, "latency_p50", a, b),))


def numbers(told: Told) -> list[int]:
    return [one.number for one in told.pairs]


def blocks(told: Told) -> list[str]:
    """The blocks of pairs that were run, in order."""
    lines = told.artifacts["job.txt"].decode().splitlines()
    return [line.removeprefix("== ") for line in lines if line.startswith("== pair")]


@pytest.fixture
def client(site: StandIn) -> SiteClient:
    return SiteClient(site.url, TOKEN, patience_s=0)


def test_a_comparison_goes_on_behind_the_pairs_it_is_given(
    site: StandIn, worker: Worker, repository: Repository
) -> None:
    told = site.give(order_make(repository, pairs=(pair(0, 3.0, 4.0),), max_pairs=3))
    worker("--poll", "0.2")
    wait_until(lambda: told.ended)
    assert told.report is not None
    third = ["pair3-good", "pair3-suspect"]
    if told.pairs[0].disturbed:
        third.reverse()
    assert blocks(told) == ["pair2-suspect", "pair2-good", *third]
    assert numbers(told) == [1, 2]
    found = told.report.comparisons[0]
    assert (found.a[0], found.b[0], len(found.a)) == (3.0, 4.0, 1 + told.counted)
    assert {one.onnx_sha256[0] == one.onnx_sha256[1] != None for one in told.pairs} == {True}  # noqa: E711


def test_a_comparison_whose_pairs_were_all_run_only_reports(
    site: StandIn, worker: Worker, repository: Repository
) -> None:
    told = site.give(order_make(repository, pairs=tuple(pair(n) for n in range(3)), max_pairs=3))
    worker("--poll", "0.2")
    wait_until(lambda: told.ended)
    assert told.report is not None
    assert len(told.report.comparisons[0].a) == 3
    assert told.report.environment.facts["python"]
    assert blocks(told) == []


def test_pairs_of_a_killed_worker_arrive_in_order_before_anything_else(
    site: StandIn, worker: Worker, repository: Repository, tmp_path: Path
) -> None:
    order = order_make(repository, max_pairs=20)
    told = site.give(order)
    process = worker("--poll", "0.2")
    wait_until(lambda: told.pairs)
    site.fail_with = 503
    workers = tmp_path / "work" / "workers"
    wait_until(lambda: len(list(workers.glob(SPOOLED))) >= 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run = [int(path.stem) for path in sorted(workers.glob(SPOOLED))]
    claims: list[int] = []
    site.on_claim = lambda: claims.append(len(told.pairs))
    site.fail_with = None
    worker("--poll", "0.2")
    wait_until(lambda: claims)
    assert claims[0] == len(told.pairs)
    assert numbers(told) == list(range(run[-1] + 1))
    assert list(workers.glob("*/spool/*")) == []


def test_what_the_site_does_not_take_now_stays_and_holds_the_report_back(
    site: StandIn, client: SiteClient, repository: Repository, tmp_path: Path
) -> None:
    order = repository.order()
    told = site.give(order)
    spool = Spool(tmp_path / "spool", pause_s=0)
    spool.pair_save(order.token, pair(0))
    spool.pair_save(order.token, pair(1))
    site.broken[f"{order.token}/pairs"] = 503
    spool.pairs_deliver(client, order.token)
    spool.failure_save(order.token, Failure(kind="model", message="m"))
    spool.deliver_all(client)
    assert (told.pairs, told.failure) == ([], None)
    site.broken.clear()
    Spool(tmp_path / "spool").deliver_all(client)
    assert numbers(told) == [0, 1]
    assert told.failure is not None
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("status", [500, 422])
def test_a_pair_the_site_cannot_store_holds_no_report_up(
    site: StandIn, client: SiteClient, repository: Repository, tmp_path: Path, status: int
) -> None:
    order = repository.order()
    told = site.give(order)
    spool = Spool(tmp_path / "spool", pause_s=0)
    spool.pair_save(order.token, pair(0))
    spool.failure_save(order.token, Failure(kind="model", message="m"))
    site.broken[f"{order.token}/pairs"] = status
    spool.deliver_all(client)
    assert told.failure is not None
    assert spool.waiting == []


def test_pairs_of_a_superseded_attempt_are_forgotten_and_an_outage_keeps_them(
    site: StandIn, client: SiteClient, repository: Repository, tmp_path: Path
) -> None:
    order = repository.order()
    told = site.give(order)
    spool = Spool(tmp_path / "spool")
    spool.pair_save(order.token, pair(0))
    site.down()
    with pytest.raises(Offline):
        spool.deliver_all(client)
    assert spool.waiting == [order.token]
    site.up()
    site.superseded.add(order.token)
    spool.deliver_all(client)
    assert (told.pairs, spool.waiting) == ([], [])


def test_a_pair_cut_short_by_a_power_cut_is_dropped_and_the_next_arrives(
    site: StandIn, client: SiteClient, repository: Repository, tmp_path: Path
) -> None:
    order = repository.order()
    told = site.give(order)
    spool = Spool(tmp_path / "spool")
    spool.pair_save(order.token, pair(0))
    spool.pair_save(order.token, pair(1))
    (tmp_path / "spool" / "pairs" / order.token / "0000.json").write_text('{"number"')
    for _ in range(BROKEN_TIMES):
        spool.deliver_all(client)
    assert numbers(told) == [1]
