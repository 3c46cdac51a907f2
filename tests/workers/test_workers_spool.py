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
from workers.spool import KEEP_S, Spool


@pytest.fixture
def client(site: StandIn) -> SiteClient:
    return SiteClient(site.url, TOKEN, patience_s=0.5)


def spooled(folder: Path, order: Order) -> Spool:
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
    spool = Spool(folder / "spool")
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
