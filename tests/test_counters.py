"""Counters of the database only grow: over restarts, over processes, whatever is removed."""

import json
import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from perfsite.alerts.channels import CHANNELS, ChannelKind, DeliveryError
from perfsite.alerts.models import Channel, Notification
from perfsite.alerts.services import notification_send
from perfsite.core.tallies import tallies_of, tally_add
from perfsite.counters import COUNTERS, counters
from perfsite.runs.models import Attempt, Project
from perfsite.runs.queue import job_claim
from perfsite.runs.sweep import leases_expire
from tests.factories import build_make, claim, job_make, project_make, worker_make
from tests.webhooks.signing import SECRET, signed

pytestmark = pytest.mark.django_db


def told() -> dict[tuple, float]:
    """Every series but those at nought."""
    samples = [sample for family in counters() for sample in family.samples]
    return {(one.name, *one.labels.values()): one.value for one in samples if one.value}


def test_every_series_is_told_before_it_happens():
    families = {family.name: family for family in counters()}
    assert set(families) == {f"perfsite_{one.name}" for one in COUNTERS}
    for one in COUNTERS:
        samples = families[f"perfsite_{one.name}"].samples
        assert {sample.name for sample in samples} == {f"perfsite_{one.name}_total"}
        assert {sample.value for sample in samples} == {0}
        assert all(set(sample.labels) == set(one.labels) for sample in samples)


def test_lost_leases_are_counted_by_why():
    job_make(build_make(project_make(), 1))
    worker = worker_make()
    claim(worker)
    assert job_claim(worker=worker) is not None  # it came back without the first one
    Attempt.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert leases_expire() == 1
    assert leases_expire() == 0
    name = "perfsite_leases_lost_total"
    assert told() == {(name, "restarted"): 1, (name, "expired"): 1}


@pytest.mark.parametrize("fails", [True, False])
def test_notifications_are_counted_by_kind_of_channel_when_they_end(monkeypatch, fails):
    def notify(outgoing):
        if fails:
            raise DeliveryError("no such channel", permanent=True)

    monkeypatch.setitem(CHANNELS, "slack", ChannelKind("slack", "Slack", notify, repeatable=True))
    project = project_make()
    channel = Channel.objects.create(project=project, kind="slack", name="chat")
    row = Notification.objects.create(channel=channel, occasion="test", notice="hello", key="k@x")
    assert notification_send(notification=row) is not fails
    state = "failed" if fails else "sent"
    assert told() == {("perfsite_notifications_ended_total", "slack", state): 1}


@pytest.fixture
def deliver(client):
    project = project_make(slug="zoo")
    Project.objects.filter(pk=project.pk).update(webhook_secret=SECRET)

    def send(*, slug="zoo", secret=SECRET, delivery=None):
        body = json.dumps({"kind": "ping"}).encode()
        headers = {
            "X-Perfsite-Signature-256": signed(body, secret),
            "X-Perfsite-Delivery": delivery or str(uuid.uuid4()),
        }
        address = f"/webhooks/generic/{slug}/"
        return client.post(address, body, content_type="application/json", headers=headers).status_code

    return send


def test_answers_to_deliveries_are_counted_and_strangers_write_none(deliver):
    assert [deliver(), deliver(delivery="same"), deliver(delivery="same")] == [200] * 3
    assert deliver(secret="wrong") == 403
    assert deliver(slug="nowhere") == 404
    name = "perfsite_webhook_answers_total"
    assert told() == {(name, "generic", "200"): 3, (name, "generic", "403"): 1}


def test_what_is_removed_takes_no_count_with_it(deliver):
    deliver()
    before = told()
    Project.objects.all().delete()
    assert told() == before != {}


@pytest.mark.django_db(transaction=True)
def test_processes_at_once_lose_no_count():
    if connection.vendor == "sqlite":
        tally_add("leases_lost", reason="expired")  # its test database is private to one connection
        assert tallies_of("leases_lost") == [({"reason": "expired"}, 1)]
        return
    start = threading.Barrier(8)

    def count():
        try:
            start.wait()
            for _ in range(25):
                tally_add("leases_lost", reason="expired")
        finally:
            connection.close()

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tallies_of("leases_lost") == [({"reason": "expired"}, 200)]
