"""The client against a real HTTP server: every kind of answer."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from site_standin import TOKEN, StandIn
from watched_repository import Repository

from benchmarks.artifacts import Artifact
from benchmarks.report import Environment, Outcome, Remark, Report
from workers.client import Broken, Offline, Refused, Rejected, SiteClient, Superseded, Unreachable
from workers.messages import ClaimRequest, Device, Failure, Hello, Order, Progress

DEVICE = Device(device_class="cpu", name="a processor", uuid="cpu-1")
HELLO = Hello(worker="w", device=DEVICE)
CLAIM = ClaimRequest(worker="w", device=DEVICE)


@pytest.fixture
def client(site: StandIn) -> SiteClient:
    return SiteClient(site.url, TOKEN, patience_s=1.0)


def report_of(order: Order) -> Report:
    return Report(
        created_at=datetime.now(UTC),
        generator="test",
        model=order.model,
        source=order.source,
        precision=order.precision,
        environment=Environment(facts={}),
    )


def test_hello_claim_and_progress(client: SiteClient, site: StandIn, repository: Repository) -> None:
    assert client.hello(HELLO).heartbeat_s == site.heartbeat_s
    assert client.claim(CLAIM) is None
    order = repository.order()
    told = site.give(order)
    assert client.claim(CLAIM) == order
    assert not client.progress(order.token, Progress(stage="s", fraction=0.5)).cancel
    assert told.progress[0].fraction == 0.5


def test_a_wrong_token_and_a_wrong_version_are_refusals_with_the_sites_words(
    client: SiteClient, site: StandIn
) -> None:
    with pytest.raises(Refused, match="Unauthorized"):
        SiteClient(site.url, "wrong").claim(CLAIM)
    site.refuse_hello = "this site speaks protocol 7; update the worker"
    with pytest.raises(Refused, match="speaks protocol 7; update the worker"):
        client.hello(HELLO)


def test_410_is_superseded_and_404_is_rejected(
    client: SiteClient, site: StandIn, repository: Repository
) -> None:
    order = repository.order()
    site.give(order)
    site.superseded.add(order.token)
    with pytest.raises(Superseded):
        client.progress(order.token, Progress(stage="s", fraction=0))
    with pytest.raises(Rejected):
        client.progress("nobody", Progress(stage="s", fraction=0))


def test_a_call_worth_repeating_is_repeated_through_an_outage(
    client: SiteClient, site: StandIn, repository: Repository
) -> None:
    order = repository.order()
    told = site.give(order)
    site.fail_with = 503
    threading.Timer(0.4, setattr, (site, "fail_with", None)).start()
    client.failure(order.token, Failure(kind="model", message="m"))
    assert told.failure is not None


def test_patience_ends_and_a_hurry_ends_it_at_once(client: SiteClient, site: StandIn) -> None:
    site.down()
    started = time.monotonic()
    with pytest.raises(Unreachable, match="does not answer"):
        client.hello(HELLO)
    assert 0.2 < time.monotonic() - started < 60
    patient = SiteClient(site.url, TOKEN, patience_s=600)
    patient.hurry()
    started = time.monotonic()
    with pytest.raises(Unreachable):
        patient.hello(HELLO)
    assert time.monotonic() - started < 60


def test_an_artifact_arrives_whole_and_a_changed_one_is_rejected(
    client: SiteClient, site: StandIn, repository: Repository, tmp_path: Path
) -> None:
    order = repository.order()
    told = site.give(order)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"x" * 3_000_000)
    ref = Artifact.seal(path, "onnx").ref()
    for _ in range(2):  # the second time the site has it already
        client.artifact_put(order.token, ref, path)
    assert told.artifacts["model.onnx"] == path.read_bytes()
    path.write_bytes(b"y" * 3_000_000)
    with pytest.raises(Rejected, match="digest"):
        client.artifact_put(order.token, ref, path)


def test_an_address_that_is_no_site_says_so(tmp_path: Path, site: StandIn) -> None:
    with pytest.raises(Rejected, match="404"):
        SiteClient(f"{site.url}/elsewhere", TOKEN).claim(CLAIM)


def test_a_site_may_take_its_time_to_store_a_report_unless_the_worker_goes(
    site: StandIn, repository: Repository
) -> None:
    order = repository.order()
    told = site.give(order)
    site.store_s = 0.8
    hasty = SiteClient(site.url, TOKEN, patience_s=0, timeout_s=0.2)
    hasty.report(order.token, report_of(order).model_dump_json().encode())
    assert told.reports == 1
    site.store_s = 30
    threading.Timer(0.2, hasty.hurry).start()
    started = time.monotonic()
    with pytest.raises(Offline, match="the worker is going away"):
        hasty.report(order.token, b"{}")
    assert time.monotonic() - started < 20


def test_a_failing_site_a_restarting_one_and_none_are_told_apart(
    site: StandIn, repository: Repository
) -> None:
    order = repository.order()
    site.give(order)
    kinds = []
    for status in (500, 503, None):
        if status is None:
            site.down()
        site.fail_with = status
        fresh = SiteClient(site.url, TOKEN, patience_s=0)  # an open connection outlives the server
        with pytest.raises(Unreachable) as caught:
            fresh.failure(order.token, Failure(kind="model", message="m"))
        kinds.append(caught.type)
    assert kinds == [Broken, Unreachable, Offline]


def test_no_text_goes_home_that_a_database_cannot_keep(
    client: SiteClient, site: StandIn, repository: Repository
) -> None:
    order = repository.order()
    told = site.give(order)
    text, kept = "a\x00b\ud800c \\u0000 \U0001f600", "abc \\u0000 \U0001f600"
    client.progress(order.token, Progress(stage="s", fraction=0, message=text, log=text))
    client.failure(order.token, Failure(kind="model", message=text, log=text))
    remark = Remark(code="c", sentence="a\x00b")
    outcome = Outcome(case=order.cases[0], status="failed", reason="a\x00b \\u0000 \U0001f600")
    report = report_of(order).model_copy(update={"remarks": (remark,), "outcomes": (outcome,)})
    client.report(order.token, report.model_dump_json().encode())
    assert (told.progress[0].message, told.progress[0].log) == (kept, kept)
    assert told.failure is not None
    assert (told.failure.message, told.failure.log) == (kept, kept)
    assert told.report is not None
    assert told.report.outcomes[0].reason == "ab \\u0000 \U0001f600"
    assert told.report.remarks[0].sentence == "ab"
