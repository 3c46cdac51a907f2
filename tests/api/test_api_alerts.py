"""Alerts by the API: rules, channels, mutes; the same services as the pages, and no secret comes back."""

import ipaddress
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from perfsite.alerts.channels.webhook import signature
from perfsite.alerts.models import Channel, Mute, Notification, Rule
from tests.alerts.http_sink import HttpSink, http_sink
from tests.api.calling import Caller
from tests.dashboards.conftest import world  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db
RULES, CHANNELS = "/projects/zoo/alert-rules", "/projects/zoo/channels"


@pytest.fixture
def manager(world):  # noqa: F811
    return Caller("manage", project_id=world.project.pk)


@pytest.fixture
def sink(settings) -> HttpSink:
    settings.ALERTS_HTTP = True
    settings.ALERTS_TIMEOUT_SECONDS = 2
    settings.OUTBOUND_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    with http_sink() as server:
        yield server


def test_a_rule_is_tried_added_changed_and_removed(world, manager):  # noqa: F811
    channel = Channel.objects.get()
    terms = {"cases": ["cnn/*"], "minimum": 0.05, "quiet_from": "22:00", "quiet_to": "07:00"}
    status, trial = manager.post(f"{RULES}/try", terms | {"days": 30})
    assert (status, sum(trial["counts"].values()), trial["rows"][0]["incident_id"]) == (
        200, 1, world.incident.pk,
    )  # fmt: skip
    assert not Rule.objects.exists()
    status, made = manager.post(RULES, terms | {"name": "cnn", "channels": [channel.pk]})
    assert (status, made["quiet_from"], made["channels"], made["zone"]) == (
        201,
        "22:00:00",
        [channel.pk],
        "UTC",
    )
    status, told = manager.post(RULES, {"name": "cnn", "channels": []})
    assert (status, "already" in told["error"]["message"]) == (409, True)
    address = f"{RULES}/{made['id']}"
    status, changed = manager.put(address, {"name": "cnn", "channels": [], "is_enabled": False, "cap": 3})
    assert (status, changed["is_enabled"], changed["cap"], changed["cases"]) == (200, False, 3, [])
    assert manager.get(address) == (200, changed)
    status, told = manager.delete(address)
    assert (status, "the only rule" in told["error"]["message"]) == (409, True)
    manager.post(RULES, {"name": "all", "channels": [channel.pk]})
    assert manager.delete(address) == (204, None)
    assert [row["name"] for row in manager.get(RULES)[1]["items"]] == ["all"]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"zone": "Mars/Base"}, "no time zone"),
        ({"recipients": ["not an address"]}, "no address"),
        ({"quiet_from": "22:00"}, "both ends"),
        ({"quiet_from": "22:00Z", "quiet_to": "07:00"}, "no offset"),
        ({"channels": [10**9]}, "has no channel"),
        ({"minimum": -1}, "body.minimum"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_a_sentence(world, manager, wrong, word):  # noqa: F811
    status, told = manager.post(RULES, {"name": "x", "channels": [], **wrong})
    assert (status in (404, 422), word in json.dumps(told)) == (True, True), told
    assert not Rule.objects.exists()


def test_a_channel_is_tested_for_real_and_its_secret_is_shown_once(world, manager, sink):  # noqa: F811
    url = f"http://127.0.0.1:{sink.server_address[1]}/hook"
    status, made = manager.post(CHANNELS, {"kind": "webhook", "name": "hook", "fields": {"url": url}})
    assert (status, made["settings"], made["secrets_set"]) == (201, {"url": url}, ["secret"])
    secret = made["secret"]
    assert secret.startswith("whsec_")
    address = f"{CHANNELS}/{made['id']}"
    status, sent = manager.post(f"{address}/test")
    assert (status, sent["state"], sent["occasion"]) == (200, "sent", "test")
    call = sink.calls[0]
    stamp = int(call.headers["webhook-timestamp"])
    assert call.headers["webhook-signature"] == signature(
        secret, call.headers["webhook-id"], stamp, call.body
    )
    sink.answer = lambda call: (410, {}, b"gone")
    status, sent = manager.post(f"{address}/test")
    assert (status, sent["state"], "410" in sent["error"]) == (200, "failed", True)
    listed = {row["name"]: row for row in manager.get(CHANNELS)[1]["items"]}
    assert (listed["hook"]["is_usable"], "410" in listed["hook"]["disabled_reason"]) == (False, True)
    status, put = manager.put(address, {"name": "hook 2"})
    assert (status, put["name"], put["is_usable"], put["secret"]) == (200, "hook 2", True, "")
    assert Channel.objects.get(pk=made["id"]).secrets == {"secret": secret}
    shown = json.dumps([manager.get(CHANNELS), put, manager.get("/channel-kinds")])
    assert secret not in shown
    assert manager.patch(address, {"is_enabled": False})[1]["is_usable"] is False


def test_a_channel_in_use_or_with_waiting_messages_stays(world, manager):  # noqa: F811
    channel = Channel.objects.get()
    address = f"{CHANNELS}/{channel.pk}"
    rule = manager.post(RULES, {"name": "all", "channels": [channel.pk]})[1]
    status, told = manager.delete(address)
    assert (status, "'all'" in told["error"]["message"]) == (409, True)
    manager.put(f"{RULES}/{rule['id']}", {"name": "all", "channels": []})
    waiting = Notification.objects.create(channel=channel, key="k@x", recipient="a@example.org")
    assert manager.delete(address)[0] == 409
    Notification.objects.filter(pk=waiting.pk).update(state="sent")
    assert manager.delete(address) == (204, None)
    assert Notification.objects.get(pk=waiting.pk).channel is None


def test_channel_fields_that_a_kind_does_not_have(world, manager):  # noqa: F811
    wrong = {"kind": "webhook", "name": "hook", "fields": {"adress": "https://hooks.example.org"}}
    status, told = manager.post(CHANNELS, wrong)
    assert (status, "has no field 'adress'; it has url, secret" in told["error"]["message"]) == (422, True)
    status, told = manager.post(CHANNELS, {"kind": "pigeon", "name": "x"})
    assert (status, "unknown channel kind" in told["error"]["message"]) == (422, True)


def test_an_incident_is_muted_listed_and_heard_again(world, manager):  # noqa: F811
    triager = Caller("triage", project_id=world.project.pk)
    until = (timezone.now() + timedelta(days=3)).isoformat()
    address = f"/incidents/{world.incident.pk}/mute"
    assert triager.post(address, {"until": until, "reason": "moved"}) == (200, {"series": 1})
    rows = triager.get("/projects/zoo/mutes")[1]["items"]
    assert [(row["series_id"], row["reason"], row["actor"]) for row in rows] == [
        (world.series.pk, "moved", "token caller triage")
    ]
    past = (timezone.now() - timedelta(days=3)).isoformat()
    assert triager.post(address, {"until": past, "reason": "moved"})[0] == 422
    assert triager.post(address, {"until": "2026-12-24T18:00:00", "reason": "moved"})[0] == 422
    stop = f"/projects/zoo/mutes/{rows[0]['id']}"
    assert triager.delete(stop)[0] == 403
    assert manager.delete(stop) == (204, None)
    assert triager.get("/projects/zoo/mutes")[1]["items"] == []
    assert Mute.objects.count() == 1  # what was is still told


def test_a_failed_message_is_sent_again_once(world, manager):  # noqa: F811
    channel = Channel.objects.get()
    failed = Notification.objects.create(
        channel=channel, key="k@x", recipient="a@example.org", state="failed", error="no"
    )
    address = f"/projects/zoo/notifications/{failed.pk}/again"
    status, told = manager.post(address)
    assert (status, told["state"], told["error"]) == (200, "queued", "sent again by token caller manage")
    assert manager.post(address)[0] == 409
