"""The spool: results survive outages and kills, and arrive once."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from site_standin import TOKEN, StandIn
from watched_repository import Repository

from benchmarks.artifacts import Artifact
from benchmarks.report import Environment, Report
from workers.client import SiteClient, Unreachable
from workers.messages import Failure, Order
from workers.spool import BROKEN_TIMES, KEEP_S, Spool


@pytest.fixture
def client(site: StandIn) -> SiteClient:
    return SiteClient(site.url, TOKEN, patience_s=0.5)


def spooled(folder: Path, order: Order, pause_s: float = 60) -> Spool:
    """A spool with one report and its artifact."""
    folder.mkdir(exist_ok=True)
    onnx = folder / "model.onnx"
    onnx.write_bytes(b"graph")
    report = Report(
        created_at=datetime.now(UTC),
        generator="test",
        model=order.model,
        source=order.source,
        precision=order.precision,
        environment=Environment(facts={}),
        artifacts=(Artifact.seal(onnx, "onnx").ref(),),
    )
    spool = Spool(folder / "spool", pause_s=pause_s)
    spool.report_save(order.token, report, {"model.onnx": onnx})
    return spool


def test_a_report_waits_for_the_site_and_arrives_after_a_restart(
    site: StandIn, client: SiteClient, repository: Repository, tmp_path: Path
) -> None:
    order = repository.order()
    told = site.give(order)
    site.down()
    spool = spooled(tmp_path / "worker", order)
    with pytest.raises(Unreachable):
        spool.deliver_all(client)
    site.up()
    restarted = Spool(tmp_path / "worker" / "spool")
    assert restarted.pending() == [order.token]
    restarted.deliver_all(client)
    assert told.reports == 1
    assert told.artifacts == {"model.onnx": b"graph"}
    assert restarted.pending() == []
    assert list((tmp_path / "worker" / "spool").iterdir()) == []


def test_results_go_in_the_order_they_were_made(
    site: StandIn, client: SiteClient, repository: Repository, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    orders = [repository.order() for _ in range(3)]
    for age, order in enumerate(orders):
        site.give(order)
        spool.failure_save(order.token, Failure(kind="model", message="m"))
        os.utime(tmp_path / "spool" / order.token, (time.time() - 100 + age,) * 2)
    assert spool.pending() == [order.token for order in orders]


def test_a_superseded_result_is_forgotten_and_does_not_block_the_next(
    site: StandIn, client: SiteClient, repository: Repository, tmp_path: Path
) -> None:
    old, new = repository.order(), repository.order()
    told_old, told_new = site.give(old), site.give(new)
    site.superseded.add(old.token)
    spool = spooled(tmp_path / "worker", old)
    spool.failure_save(new.token, Failure(kind="model", message="m"))
    spool.deliver_all(client)
    assert told_old.report is None
    assert told_new.failure is not None
    assert spool.pending() == []


def test_a_result_too_old_is_forgotten(
    site: StandIn, client: SiteClient, repository: Repository, tmp_path: Path
) -> None:
    order = repository.order()
    told = site.give(order)
    spool = spooled(tmp_path / "worker", order)
    os.utime(tmp_path / "worker" / "spool" / order.token, (time.time() - KEEP_S - 1,) * 2)
    spool.deliver_all(client)
    assert not told.ended
    assert spool.pending() == []


def test_a_report_the_site_rejects_becomes_a_failure_that_says_why(
    site: StandIn, client: SiteClient, repository: Repository, tmp_path: Path
) -> None:
    order = repository.order()
    told = site.give(order)
    spool = spooled(tmp_path / "worker", order)
    (tmp_path / "worker" / "spool" / order.token / "body.json").write_text('{"format": 99}')
    site.reject_reports = True
    spool.deliver_all(client)
    assert told.failure is not None
    assert told.failure.kind == "protocol"
    assert "this is no report" in told.failure.message
    assert spool.pending() == []


def test_half_an_entry_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / "spool" / ".half" / "artifacts").mkdir(parents=True)
    assert Spool(tmp_path / "spool").pending() == []
    assert list((tmp_path / "spool").iterdir()) == []


def test_an_entry_the_site_fails_over_is_put_off_and_the_next_arrives(
    site: StandIn, client: SiteClient, repository: Repository, tmp_path: Path
) -> None:
    bad, good = repository.order(), repository.order()
    site.give(bad)
    told = site.give(good)
    site.broken[f"{bad.token}/report"] = 500
    spool = spooled(tmp_path / "worker", bad)
    os.utime(tmp_path / "worker" / "spool" / bad.token, (time.time() - 100,) * 2)
    spool.failure_save(good.token, Failure(kind="model", message="m"))
    spool.deliver_all(client)
    assert told.failure is not None
    assert spool.pending() == [bad.token]
    assert 50 < spool.rest_s() <= 60
    del site.broken[f"{bad.token}/report"]
    spool.deliver_all(client)
    assert spool.pending() == [bad.token]  # not due yet


@pytest.mark.parametrize(("status", "given_up"), [(500, True), (503, False)])
def test_a_report_the_site_cannot_store_ends_as_a_failure_that_says_so(
    site: StandIn, repository: Repository, tmp_path: Path, status: int, given_up: bool
) -> None:
    order = repository.order()
    told = site.give(order)
    site.broken[f"{order.token}/report"] = status
    spool = spooled(tmp_path / "worker", order, pause_s=0)
    client = SiteClient(site.url, TOKEN, patience_s=0)
    for _ in range(BROKEN_TIMES):
        assert told.failure is None
        assert spool.pending() == [order.token]
        spool.deliver_all(client)
    assert (spool.pending() == []) == given_up
    assert (told.failure is not None) == given_up
    if told.failure is not None:
        assert (told.failure.kind, told.failure.retry) == ("protocol", False)
        assert "could not store" in told.failure.message
        assert "the disk of the database is full" in told.failure.message


def test_pauses_grow(site: StandIn, repository: Repository, tmp_path: Path) -> None:
    order = repository.order()
    site.give(order)
    site.broken[f"{order.token}/report"] = 503
    spool = spooled(tmp_path / "worker", order, pause_s=10)
    client = SiteClient(site.url, TOKEN, patience_s=0)
    pauses = []
    for _ in range(3):
        spool.deliver(client, order.token)
        pauses.append(round(spool.rest_s()))
    assert pauses == [10, 20, 40]


@pytest.mark.parametrize("content", [b"", b'{"kind": "rep', None])
def test_a_damaged_entry_is_set_aside_and_the_next_arrives(
    site: StandIn, client: SiteClient, repository: Repository, tmp_path: Path, content: bytes | None
) -> None:
    bad, good = repository.order(), repository.order()
    site.give(bad)
    told = site.give(good)
    spool = spooled(tmp_path / "worker", bad)
    folder = tmp_path / "worker" / "spool"
    entry = folder / bad.token / "entry.json"
    entry.unlink() if content is None else entry.write_bytes(content)
    os.utime(folder / bad.token, (time.time() - 100,) * 2)
    spool.failure_save(good.token, Failure(kind="model", message="m"))
    spool.deliver_all(client)
    assert told.failure is not None
    assert Spool(folder).pending() == []
    assert (folder / "damaged" / bad.token / "body.json").exists()


def test_an_entry_that_a_full_disk_cut_short_is_made_again(repository: Repository, tmp_path: Path) -> None:
    """The second file is missing, as after a move that the disk had no room for."""
    order = repository.order()
    spool = Spool(tmp_path / "spool")
    half = tmp_path / "spool" / f".{order.token}"
    (half / "artifacts").mkdir(parents=True)
    (half / "body.json").write_text('{"half')
    spool.failure_save(order.token, Failure(kind="environment", message="No space left on device"))
    assert spool.pending() == [order.token]
    assert not half.exists()
