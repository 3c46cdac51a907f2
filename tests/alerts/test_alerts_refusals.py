"""What a channel does that was refused: asked again, disabled, or only this message failed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from perfsite.alerts.channels import DeliveryError
from perfsite.alerts.configuring import channel_switch
from perfsite.alerts.models import Channel, Notification, OutboxMail, Rule, Sending
from perfsite.alerts.queueing import notification_queue
from perfsite.alerts.services import MAX_TRIES, incidents_tell, notification_again
from perfsite.regressions.models import Incident
from tests.alerts.sending import SECRET, send
from tests.alerts.test_alerts_services import incident, outbox  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db


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
