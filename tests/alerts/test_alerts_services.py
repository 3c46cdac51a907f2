"""An incident is told once, to the right person, also when senders die, race or are refused."""

from datetime import timedelta

import pytest
from django.utils import timezone

from perfsite.alerts import channels, selectors, services
from perfsite.alerts.channels import ChannelKind, DeliveryError
from perfsite.alerts.configuring import incident_mute
from perfsite.alerts.defaults import mail_channel
from perfsite.alerts.models import Channel, Notification, OutboxMail, Sending, Telling
from perfsite.alerts.services import (
    incidents_tell,
    notification_again,
    notification_send,
    notifications_recover,
)
from perfsite.alerts.telling import tellings_make, tellings_release
from perfsite.regressions.models import Incident
from perfsite.regressions.services import reports_screen
from perfsite.regressions.triage import incident_triage
from perfsite.runs.models import Build, BuildFile, Job
from tests.alerts.smtp_sink import smtp_sink
from tests.factories import case_make, job_make, project_make
from tests.regressions.builders import QUIET, compare_report, history_make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def outbox(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.SITE_URL = "https://perf.example.org"
    settings.EMAIL_BACKEND = "perfsite.alerts.outbox.EmailBackend"


@pytest.fixture
def incident() -> Incident:
    """A confirmed slowdown of the ninth build."""
    history_make(project_make(slug="demo", owner_email="owner@example.org"), [*QUIET, 1.2])
    reports_screen()
    compare_report(Job.objects.get(kind="compare"), {"latency_p50": 1.2})
    reports_screen()
    return Incident.objects.select_related("build", "project").get()


def test_of_a_delivered_file_the_command_fetches_it(incident):
    BuildFile.objects.create(build=incident.build, url="https://m.example/a.onnx", format="onnx", model="cnn")
    assert incidents_tell() == 1
    text = OutboxMail.objects.get().text
    assert "https://m.example/a.onnx && echo " in text
    assert "git checkout" not in text


def test_the_author_hears_of_it_once(incident):
    assert incidents_tell() == 1
    assert incidents_tell() == 0
    mail = OutboxMail.objects.get()
    assert mail.recipients == ["ada@example.org"]
    assert f"{incident.build.short} made cnn " in mail.subject
    assert f"https://perf.example.org/projects/demo/incidents/{incident.pk}/" in mail.text
    assert f"git checkout --detach {incident.build.sha}" in mail.text
    assert "--model tiny-cnn --runner torch --precision fp32 --batch 1 --suite latency" in mail.text
    assert mail.html.startswith("<div")
    row = Notification.objects.get()
    assert (row.state, row.tries, row.key) == ("sent", 1, mail.message_id)
    incident.refresh_from_db()
    assert incident.told_at == row.sent_at


def test_it_is_told_when_nothing_about_the_build_is_open_any_more(incident):
    other = job_make(incident.build, case_make(model="bert"))
    assert incidents_tell() == 0
    Job.objects.filter(pk=other.pk).update(state="cancelled")
    assert incidents_tell() == 1


def test_it_is_told_after_ten_minutes_whatever_is_open(incident):
    job_make(incident.build, case_make(model="bert"))
    old = timezone.now() - selectors.PATIENCE
    Incident.objects.filter(pk=incident.pk).update(opened_at=old)
    assert incidents_tell() == 1


@pytest.mark.parametrize("address", ["", "1+ada@users.noreply.github.com", "ada"])
def test_the_owner_hears_of_it_when_the_author_cannot_be_reached(incident, address):
    Build.objects.filter(pk=incident.build_id).update(author_email=address)
    incidents_tell()
    assert OutboxMail.objects.get().recipients == ["owner@example.org"]


def test_nobody_to_tell_is_shown_and_not_asked_again(incident):
    Build.objects.update(author_email="")
    type(incident.project).objects.update(owner_email="")
    assert incidents_tell() == incidents_tell() == 0
    row = Notification.objects.get()
    assert row.state == "failed"
    assert "set the project's owner e-mail" in row.error


def test_what_a_person_closed_is_not_told(incident):
    Incident.objects.update(state="invalid")
    assert incidents_tell() == 0


def test_two_senders_send_once(incident):
    queued(incident)
    first, second = Notification.objects.get(), Notification.objects.get()
    assert [notification_send(notification=first), notification_send(notification=second)] == [True, False]
    assert OutboxMail.objects.count() == 1


def queued(incident: Incident) -> Notification:
    now = timezone.now()
    for _ in range(2):  # decided and queued once, however many ask
        tellings_make(now=now)
        tellings_release(now=now)
    return Notification.objects.get()


def test_a_sender_that_died_after_the_call_makes_no_second_mail(incident):
    row = queued(incident)
    assert notification_send(notification=row)
    # as if it had died between the call and the row
    Notification.objects.update(state="sending", due_at=timezone.now() - timedelta(seconds=1))
    assert incidents_tell() == 1
    assert OutboxMail.objects.count() == 1
    assert Notification.objects.get().tries == 2


def test_a_sender_that_works_still_is_left_alone(incident, settings):
    Notification.objects.filter(pk=queued(incident).pk).update(
        state="sending", due_at=timezone.now() + timedelta(seconds=settings.ALERTS_CLAIM_SECONDS)
    )
    assert notifications_recover(now=timezone.now()) == 0


def test_where_a_second_message_is_not_known_as_such_it_is_uncertain(incident, monkeypatch):
    def notify(outgoing):
        raise AssertionError("an uncertain message was repeated")

    kind = ChannelKind("email", "E-mail", notify, repeatable=False, takes_recipient=True)
    monkeypatch.setitem(channels.CHANNELS, "email", kind)
    Notification.objects.filter(pk=queued(incident).pk).update(state="sending", due_at=timezone.now())
    assert incidents_tell() == 0
    assert Notification.objects.get().state == "uncertain"


@pytest.fixture
def sink(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with smtp_sink() as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address
        yield server


def test_a_real_mail_server_gets_text_html_and_the_message_id(incident, sink):
    assert incidents_tell() == 1
    mail = sink.mails[0]
    assert mail["Message-ID"] == f"<{Notification.objects.get().key}>"
    assert mail["To"] == "ada@example.org"
    body, picture = mail.get_payload()
    assert [part.get_content_type() for part in body.get_payload()] == ["text/plain", "text/html"]
    assert (picture.get_content_type(), picture["Content-ID"]) == ("image/png", "<chart@perfsite>")
    assert picture.get_payload(decode=True).startswith(b"\x89PNG")
    assert "cid:chart@perfsite" in body.get_payload()[1].get_payload(decode=True).decode()


def test_a_refusal_for_now_is_tried_again_later(incident, sink):
    sink.recipient_answer = "451 busy"
    assert incidents_tell() == 0
    row = Notification.objects.get()
    assert (row.state, row.tries) == ("queued", 1)
    assert row.due_at > timezone.now() + timedelta(seconds=10)  # half of the first wait is jitter
    assert "451" in row.error
    assert incidents_tell() == 0  # not before its time
    sink.recipient_answer = "250 fine"
    Notification.objects.update(due_at=timezone.now())
    assert incidents_tell() == 1
    assert len(sink.mails) == 1


def test_a_refusal_for_good_ends_it(incident, sink):
    sink.recipient_answer = "550 no such person"
    assert incidents_tell() == 0
    row = Notification.objects.get(recipient="ada@example.org")
    assert (row.state, row.tries) == ("failed", 1)
    assert "550" in row.error


def test_what_a_mailbox_refuses_the_owner_hears(incident, sink):
    row = queued(incident)
    sink.recipient_answer = "550 no such person"
    assert not notification_send(notification=row)
    sink.recipient_answer = "250 fine"
    assert incidents_tell() == 1
    assert sink.mails[0]["To"] == "owner@example.org"
    assert [row.state for row in Sending.objects.order_by("id")] == ["refused", "taken"]
    assert Notification.objects.count() == 2


def test_tries_end(incident, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # nobody listens there
    for _ in range(services.MAX_TRIES):
        incidents_tell()
        Notification.objects.filter(state="queued").update(due_at=timezone.now())
        Channel.objects.update(rests_until=None)
    row = Notification.objects.get(recipient="ada@example.org")
    assert (row.state, row.tries) == ("failed", services.MAX_TRIES)
    assert "check EMAIL_HOST, EMAIL_PORT and the login" in row.error


def test_a_mail_server_that_refuses_us_is_no_recipients_fault(incident, sink):
    sink.sender_answer = "530 authentication required"
    assert incidents_tell() == 0
    row = Notification.objects.get()
    assert (row.state, row.recipient) == ("queued", "ada@example.org")
    assert "and the login" in row.error


def test_a_message_that_waited_until_its_incident_was_withdrawn_is_not_taken_back_again(incident, sink):
    sink.recipient_answer = "451 busy"
    incidents_tell()
    Incident.objects.update(state="withdrawn", withdrawn_at=timezone.now(), withdrawn_reason="refuted")
    sink.recipient_answer = "250 fine"
    Notification.objects.update(due_at=timezone.now())
    assert incidents_tell() == 1
    (mail,) = sink.mails
    assert "Withdrawn:" in mail["Subject"]


def test_a_person_gives_as_many_tries_again(incident, settings):
    test_tries_end(incident, settings)
    settings.EMAIL_BACKEND = "perfsite.alerts.outbox.EmailBackend"
    row = Notification.objects.get(recipient="ada@example.org")
    assert notification_again(notification=row, actor="ada")
    assert incidents_tell() >= 1
    row.refresh_from_db()
    assert (row.state, row.tries, row.sendings.count()) == ("sent", 9, 9)


@pytest.fixture
def waiting(incident) -> Telling:
    """The incident's message, held until an hour from now."""
    tellings_make(now=timezone.now())
    Telling.objects.update(decision="hold", due_at=timezone.now() + timedelta(hours=1))
    return Telling.objects.get()


def test_what_was_closed_while_its_message_waited_is_told_when_it_is_opened_again(incident, waiting):
    Telling.objects.update(due_at=timezone.now())
    incident_triage(incident=incident, state="invalid")
    assert incidents_tell() == incidents_tell() == 0
    incident_triage(incident=incident, state="untriaged")
    assert incidents_tell() == 1
    assert incidents_tell() == 0


def test_what_was_muted_while_its_message_waited_is_not_told(incident, waiting):
    until = timezone.now() + timedelta(days=1)
    incident_mute(incident=incident, until=until, reason="known", actor="ada")
    Telling.objects.update(due_at=timezone.now())
    assert incidents_tell() == incidents_tell() == 0
    waiting.refresh_from_db()
    assert (waiting.decision, waiting.why) == ("muted", "its series were muted while it waited")


def test_a_digest_tells_improvements_too_and_all_of_it_to_the_owner_when_refused(incident, waiting, sink):
    better = incident.regressions.get().verdict
    better.pk, better.kind, better.build = None, "improved", Build.objects.order_by("ordinal")[2]
    better.save()
    improved = Telling.objects.get()
    improved.pk, improved.incident, improved.build = None, None, better.build
    improved.occasion = "improvement"
    improved.save()
    Telling.objects.update(decision="digest", due_at=timezone.now())
    sink.recipient_answer = "550 no such person"
    assert tellings_release(now=timezone.now()) == 1
    assert not notification_send(notification=Notification.objects.get())
    sink.recipient_answer = "250 fine"
    assert incidents_tell() == 1
    (mail,) = sink.mails
    assert (mail["To"], "1 incident and 1 improvement" in mail["Subject"]) == ("owner@example.org", True)


def test_one_row_that_cannot_be_worked_on_keeps_no_other_from_being_sent(incident):
    """A channel of a kind that this release does not have, at each step of the way."""
    project = incident.project
    broken = Channel.objects.create(project=project, kind="pigeon", name="former")
    now = timezone.now()
    Telling.objects.create(incident=incident, channel=broken, occasion="incident", decision="now", due_at=now)
    Telling.objects.create(
        incident=incident, channel=broken, recipient="x", occasion="withdrawal", decision="digest", due_at=now
    )
    for key, state in (("left", "sending"), ("next", "queued")):
        Notification.objects.create(channel=broken, occasion="test", key=key, notice="x", state=state)
    Telling.objects.create(
        incident=incident, channel=mail_channel(project=project), recipient="ada@example.org",
        occasion="incident", decision="now", due_at=now,
    )  # fmt: skip
    assert incidents_tell() == 1
    assert OutboxMail.objects.get().recipients == ["ada@example.org"]


def test_a_delivery_error_is_not_permanent_unless_said():
    assert not DeliveryError("later").permanent
