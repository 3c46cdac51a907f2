"""Channels against real local servers: what they send, and what each failure means."""

import base64
import hashlib
import hmac
import ipaddress
import json
import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from perfsite.alerts.channels import CHANNELS, DeliveryError, Outgoing
from perfsite.alerts.configuring import channel_switch
from perfsite.alerts.message import message_compose
from perfsite.alerts.models import Channel, Notification, OutboxMail, Rule, Sending
from perfsite.alerts.queueing import notification_queue
from perfsite.alerts.services import MAX_TRIES, incidents_tell, notification_again
from perfsite.regressions.models import Incident
from tests.alerts.http_sink import http_sink
from tests.alerts.test_alerts_message import facts
from tests.alerts.test_alerts_services import incident, outbox  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db

MESSAGE = message_compose(facts(mute_url="http://site/mute/x/", inside=("code: +18.0 %",)))
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()


@pytest.fixture
def sink(settings):
    settings.ALERTS_HTTP = True
    settings.ALERTS_TIMEOUT_SECONDS = 1
    settings.OUTBOUND_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    with http_sink() as server:
        yield server


def send(kind: str, url: str, **secrets: str) -> None:
    secrets = {"secret_url": url, "secret": SECRET, **secrets}
    CHANNELS[kind].notify(
        Outgoing(MESSAGE, key="k1@site", project_id=1, settings={"url": url}, secrets=secrets)
    )


def test_the_webhook_is_signed_as_standard_webhooks_are(sink):
    send("webhook", f"{sink.url}/hook")
    call = sink.calls[0]
    stamp = call.headers["webhook-timestamp"]
    signed = f"k1@site.{stamp}.".encode() + call.body
    expected = base64.b64encode(hmac.new(b"0123456789abcdef", signed, hashlib.sha256).digest()).decode()
    assert call.headers["webhook-signature"] == f"v1,{expected}"
    assert call.headers["webhook-id"] == "k1@site"
    assert abs(int(stamp) - time.time()) < 60
    data = call.json["data"]
    assert data["accused"]["sha"].startswith("3fa9c1a")
    assert data["changes"][0]["relative"] == 0.198
    assert data["inside"] == ["code: +18.0 %"]


@pytest.mark.parametrize("kind", ["slack", "teams", "apprise"])
def test_every_chat_gets_what_where_how_sure_and_where_to_go(sink, kind):
    url = f"{sink.url}/hook"
    send(kind, url.replace("http://", "json://") if kind == "apprise" else url)
    told = json.dumps(sink.calls[0].json, ensure_ascii=False).replace("\\\\", "")
    for words in (
        "made cnn 19.8 % slower",
        "confirmed by 8 interleaved pairs",
        "batch 8",
        "http://site/projects/demo/incidents/7/",
        "http://site/mute/x/",
        "python -m benchmarks run",
    ):
        assert words in told


def test_what_a_commit_says_is_no_markup_in_a_chat(sink):
    send("slack", sink.url)
    assert "Widen &lt;conv&gt;" in sink.calls[0].json["blocks"][1]["text"]["text"]
    send("teams", sink.url)
    card = sink.calls[1].json["attachments"][0]["content"]
    assert any("Widen \\<conv\\>" in block["text"] for block in card["body"])


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "asked"),
    [
        (500, {}, False, None),
        (503, {"Retry_After": "7"}, False, 7),
        (429, {"Retry_After": "120"}, False, 120),
        (408, {}, False, None),
        (404, {}, True, None),
        (410, {}, True, None),
        (302, {"Location": "http://127.0.0.1:1/"}, True, None),
    ],
)
def test_an_answer_says_whether_another_try_helps(sink, status, headers, permanent, asked):
    sink.say(status, b"no", **headers)
    with pytest.raises(DeliveryError) as caught:
        send("webhook", sink.url)
    assert (caught.value.permanent, caught.value.is_unknown) == (permanent, False)
    assert caught.value.retry_after == (timedelta(seconds=asked) if asked else None)
    assert len(sink.calls) == 1  # a redirect is not followed


def test_a_server_that_hangs_or_hangs_up_leaves_it_unknown(sink):
    release = threading.Event()
    for answer in (lambda call: None, lambda call: release.wait(30) and None):
        sink.answer = answer
        with pytest.raises(DeliveryError) as caught:
            send("webhook", sink.url)
        assert caught.value.is_unknown
    release.set()


def test_an_answer_that_never_ends_holds_nobody(sink):
    sink.drip = 0.2
    began = time.monotonic()
    sink.say(200, b"x" * 100)
    send("webhook", sink.url)
    sink.say(503, b"x" * 100)
    with pytest.raises(DeliveryError, match="HTTP 503: x"):
        send("webhook", sink.url)
    assert time.monotonic() - began < 10  # of the 40 that all of both takes


def test_where_nobody_listens_nothing_went_out(sink):
    with pytest.raises(DeliveryError) as caught:
        send("webhook", "http://127.0.0.1:1/")
    assert (caught.value.permanent, caught.value.is_unknown) == (False, False)


@pytest.mark.parametrize(
    "url",
    [
        "json://10.0.0.1/x",
        "jsons://169.254.169.254/x",
        "dbus://",
        "syslog://",
        "nonsense",
        "jsons://localhost",
    ],
)
def test_apprise_calls_no_private_address_and_nothing_on_the_machine(url):
    with pytest.raises(DeliveryError) as caught:
        send("apprise", url)
    assert caught.value.permanent


def test_apprise_follows_no_redirect(sink):
    sink.answer = lambda call: (307, {"Location": f"{sink.url}/secret"}, b"")
    with pytest.raises(DeliveryError):
        send("apprise", sink.url.replace("http://", "json://"))
    assert sink.calls
    assert not any("secret" in call.path for call in sink.calls)


def test_apprise_calls_no_host_that_its_form_does_not_show():
    with pytest.raises(DeliveryError, match="does not show") as caught:
        send("apprise", "acs://a@example.org/a2V5/metadata.google.internal/b@example.org")
    assert caught.value.permanent


@pytest.mark.parametrize(
    "url",
    [
        "mailtos://user:pw@example.org?SMTP=10.0.0.1",
        "workflows://example.org/workflow/signature?to=x&%74emplate=/etc/passwd",
        "fcm://project@key/device?x=1;keyfile=/etc/passwd",
        "jsons://example.org/?redirect=yes",
    ],
)
def test_apprise_reads_no_file_and_calls_no_second_host(url):
    with pytest.raises(DeliveryError, match="the option") as caught:
        send("apprise", url)
    assert caught.value.permanent


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "https://169.254.169.254/x", "https://user:pw@example.org"]
)
def test_a_webhook_wants_https_and_a_public_address(url):
    with pytest.raises(DeliveryError) as caught:
        send("webhook", url)
    assert caught.value.permanent


@pytest.fixture
def channel(sink, incident) -> Channel:  # noqa: F811
    """A webhook beside the mail."""
    made = Channel.objects.create(
        project=incident.project, kind="webhook", name="hook", settings={"url": sink.url},
        secrets={"secret": SECRET},
    )  # fmt: skip
    Rule.objects.create(project=incident.project, name="all").channels.add(made)
    return made


def row_of(channel: Channel) -> Notification:
    return Notification.objects.get(channel=channel)


def test_a_busy_channel_is_asked_again_when_it_said(channel, sink):
    sink.say(429, b"busy", Retry_After="120")
    assert incidents_tell() == 0
    row = row_of(channel)
    assert row.state == "queued"
    assert row.due_at > timezone.now() + timedelta(seconds=110)
    assert Sending.objects.get().state == "refused"
    sink.say(200)
    Notification.objects.update(due_at=timezone.now())
    assert incidents_tell() == 0  # the channel itself asked for the time
    Channel.objects.update(rests_until=timezone.now())
    assert incidents_tell() == 1
    keys = {call.headers["webhook-id"] for call in sink.calls}
    assert (len(sink.calls), keys) == (2, {row.key})
    assert incidents_tell() == 0
    assert Incident.objects.get().told_at is not None


def test_a_channel_that_refuses_for_good_is_disabled_and_the_owner_hears_of_it(channel, sink):
    sink.say(410, b"gone")
    incidents_tell()
    channel.refresh_from_db()
    assert not channel.is_usable
    assert "HTTP 410" in channel.disabled_reason
    incidents_tell()
    mail = OutboxMail.objects.get()
    assert mail.recipients == ["owner@example.org"]
    assert "The channel hook was disabled" in mail.subject
    row = row_of(channel)
    assert row.state == "failed"
    # mended, and sent again by a person
    sink.say(200)
    Channel.objects.filter(pk=channel.pk).update(disabled_at=None)
    assert notification_again(notification=row, actor="ada")
    assert incidents_tell() == 1
    assert row_of(channel).state == "sent"


def test_what_is_due_with_the_message_that_was_refused_waits_for_the_channel(channel, sink):
    for number in range(3):
        notification_queue(channel=channel, recipient="", occasion="test", about=str(number), notice="x")
    sink.say(410, b"gone")
    incidents_tell()
    states = Notification.objects.filter(channel=channel, occasion="test").values_list("state", flat=True)
    assert sorted(states) == ["failed", "queued", "queued"]
    assert len(sink.calls) == 1


def test_a_chat_whose_answer_was_lost_is_uncertain_and_not_asked_again(channel, sink):
    Channel.objects.update(kind="slack", secrets={"secret_url": sink.url})
    sink.answer = lambda call: None
    assert incidents_tell() == incidents_tell() == 0
    row = row_of(channel)
    assert (row.state, len(sink.calls)) == ("uncertain", 1)
    sink.say(200)
    Channel.objects.update(rests_until=None)
    assert incidents_tell() == 0
    assert len(sink.calls) == 1


@pytest.mark.parametrize(
    ("kind", "status", "said", "is_message_only"),
    [
        *(("webhook", status, b"no", True) for status in (400, 409, 413, 422)),
        *(("webhook", status, b"no", False) for status in (401, 402, 403, 404, 405, 410, 415, 451)),
        ("webhook", 400, b"no_service", True),  # Slack's words are Slack's
        ("slack", 400, b"invalid_payload", True),
        ("slack", 400, b"invalid_blocks", True),
        ("slack", 400, b"user_not_found", False),
        ("slack", 400, b"channel_is_archived", False),
        ("slack", 403, b"action_prohibited", False),
        ("slack", 403, b"invalid_token", False),
        ("slack", 404, b"no_service", False),
        ("slack", 410, b"channel_is_archived", False),
        ("teams", 413, b"", True),
        ("teams", 400, b'{"error": {"code": "TriggerInputSchemaMismatch", "message": "x"}}', True),
        ("teams", 400, b'{"error": {"code": "WorkflowTriggerIsNotEnabled", "message": "x"}}', False),
        ("teams", 401, b'{"error": {"code": "DirectApiAuthorizationRequired"}}', False),
    ],
)
def test_an_answer_says_whether_it_is_the_messages_or_the_channels(sink, kind, status, said, is_message_only):
    sink.say(status, said)
    with pytest.raises(DeliveryError) as caught:
        send(kind, sink.url)
    assert (caught.value.permanent, caught.value.is_message_only) == (True, is_message_only)


def test_a_refused_message_fails_alone_and_the_owner_is_told(channel, sink):
    sink.say(400, b"too many words")
    incidents_tell()
    channel.refresh_from_db()
    row = row_of(channel)
    assert (channel.is_usable, channel.refused, row.state) == (True, [row.pk], "failed")
    incidents_tell()
    mail = OutboxMail.objects.get()
    assert mail.recipients == ["owner@example.org"]
    for words in ("The channel hook refused a message", "too many words", "The message: ", "/incidents/"):
        assert words in mail.text
    # the channel is on: the next message goes out by it, and its refusals are forgotten
    sink.say(200)
    notification_queue(channel=channel, recipient="", occasion="test", about="1", notice="x")
    assert incidents_tell() == 1
    channel.refresh_from_db()
    assert channel.refused == []
    assert OutboxMail.objects.count() == 1


def refuse(channel: Channel, *abouts: str) -> list[Notification]:
    """So many messages, each called once."""
    rows = [
        notification_queue(channel=channel, recipient="", occasion="test", about=about, notice=about)
        for about in abouts
    ]
    incidents_tell()
    return rows


def test_five_refused_in_a_row_disable_the_channel(channel, sink):
    sink.say(422, b"no")
    refuse(channel, "1", "2", "3")  # and the incident's own
    channel.refresh_from_db()
    assert (channel.is_usable, len(channel.refused)) == (True, 4)
    refuse(channel, "4", "5")
    channel.refresh_from_db()
    assert not channel.is_usable
    assert "refused 5 different messages in a row" in channel.disabled_reason
    calls = len(sink.calls)
    assert calls == 5  # the sixth waits for the channel
    incidents_tell()
    texts = [mail.text for mail in OutboxMail.objects.order_by("id")]
    assert [("was disabled" in text, "refused a message" in text) for text in texts].count((True, False)) == 1
    assert sum("refused a message" in text for text in texts) == 4
    assert "1 further message waits and goes out" in next(text for text in texts if "was disabled" in text)
    # used again, it has five more
    channel_switch(channel=channel, is_enabled=True)
    incidents_tell()
    channel.refresh_from_db()
    assert (channel.is_usable, len(channel.refused)) == (True, 1)


def test_the_same_message_refused_again_is_no_second_and_one_taken_ends_the_row(channel, sink):
    sink.say(400, b"no")
    first = refuse(channel, "1", "2", "3")[0]
    for _ in range(3):
        first.refresh_from_db()
        assert notification_again(notification=first, actor="ada")
        incidents_tell()
    channel.refresh_from_db()
    assert (channel.is_usable, len(channel.refused)) == (True, 4)
    assert OutboxMail.objects.count() == 4
    sink.say(200)
    refuse(channel, "4")
    sink.say(400, b"no")
    refuse(channel, "5", "6", "7", "8")
    channel.refresh_from_db()
    assert (channel.is_usable, len(channel.refused)) == (True, 4)


def test_a_host_that_nobody_knows_disables_the_channel_once_the_tries_are_spent(channel, sink):
    Channel.objects.filter(pk=channel.pk).update(settings={"url": "http://nobody.invalid/hook"})
    incidents_tell()
    channel.refresh_from_db()
    row = row_of(channel)
    assert (channel.is_usable, row.state) == (True, "queued")
    assert "cannot be resolved" in row.error
    Notification.objects.filter(pk=row.pk).update(tries=MAX_TRIES - 1, due_at=timezone.now())
    incidents_tell()
    channel.refresh_from_db()
    assert (channel.is_usable, row_of(channel).state) == (False, "failed")
    assert "nobody.invalid" in channel.disabled_reason
