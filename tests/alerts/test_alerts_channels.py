"""Channels against real local servers: what they send, and what each failure means."""

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import threading
import time
from datetime import timedelta

import pytest

from perfsite.alerts.channels import DeliveryError, gitlab
from perfsite.alerts.models import Channel
from tests.alerts.sending import send
from tests.alerts.test_alerts_services import incident, outbox  # noqa: F401 - fixtures
from tests.factories import project_make

pytestmark = pytest.mark.django_db


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


@pytest.mark.parametrize("kind", ["apprise", "gitlab"])
def test_a_name_that_changes_its_answer_after_it_was_judged_is_not_called(sink, settings, monkeypatch, kind):
    """DNS rebinding: the first look-up is judged well, the one that the library connects by is not."""
    settings.OUTBOUND_NETWORKS = (ipaddress.ip_network("192.0.2.0/24"),)
    real, answers = socket.getaddrinfo, ["192.0.2.1"] if kind == "apprise" else []

    def resolve(host, port, *rest, **more):
        named = host == "rebinding.example"
        return real((answers.pop() if answers else "127.0.0.1") if named else host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = sink.url.replace("127.0.0.1", "rebinding.example")
    project = project_make()
    Channel.objects.create(
        project=project, kind="gitlab", name="forge", settings={"api_url": url}, secrets={"token": "t"}
    )
    status = {"project": project, "sha": "a" * 40, "state": "success", "description": "x", "url": url}
    call = {
        "apprise": lambda: send("apprise", url.replace("http://", "json://")),
        "gitlab": lambda: gitlab.status_set(**status),
    }
    with pytest.raises(DeliveryError, match="no public address") as caught:
        call[kind]()
    assert caught.value.is_misdirected
    assert not answers
    assert not sink.calls


@pytest.mark.parametrize(
    "url",
    ["acs://a@example.org/a2V5/metadata.google.internal/b@example.org", "rsyslog://93.184.216.34/local5"],
    ids=["not shown", "resolved by the system"],
)
def test_apprise_calls_no_host_that_is_not_judged(url):
    with pytest.raises(DeliveryError, match="cannot judge") as caught:
        send("apprise", url)
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
